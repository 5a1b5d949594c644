// The rule language in brief, for the panel beside the editor. The server's parser decides; this
// is a reminder, not a second definition.

export interface HelpEntry {
  readonly text: string
  readonly meaning: string
}

export interface HelpSection {
  readonly title: string
  readonly entries: readonly HelpEntry[]
}

export const RULE_HELP: readonly HelpSection[] = [
  {
    title: 'Data of a bar',
    entries: [
      { text: 'open high low close', meaning: 'prices of the closed bar' },
      { text: 'volume', meaning: 'base volume' },
      { text: 'quote_volume', meaning: 'price × size, summed' },
      { text: 'trades', meaning: 'number of trades' },
      { text: 'taker_buy_volume', meaning: 'base volume bought by takers' },
      { text: 'hl2  hlc3  ohlc4', meaning: 'averages of those prices' },
      { text: 'close[1]', meaning: 'the same, one bar earlier' },
    ],
  },
  {
    title: 'Indicators',
    entries: [
      { text: 'sma(n)  sma(volume, n)', meaning: 'simple average, of the close unless named' },
      { text: 'ema(n)  rma(n)', meaning: 'exponential average; Wilder’s' },
      { text: 'rsi(n)', meaning: 'relative strength, 0 to 100' },
      { text: 'highest(n)  lowest(n)', meaning: 'of the highs or lows, this bar included' },
      { text: 'change(n)  roc(n)', meaning: 'against n bars ago: difference; percent' },
    ],
  },
  {
    title: 'Conditions',
    entries: [
      { text: '<  <=  >  >=  ==  !=', meaning: 'compare; 20 < rsi(14) < 30 works too' },
      { text: 'crosses_above(a, b)', meaning: 'before a ≤ b, now a > b' },
      { text: 'crosses_below(a, b)', meaning: 'before a ≥ b, now a < b' },
      { text: 'and  or  not  ( )', meaning: 'combine' },
      { text: '+  -  *  /  abs  min  max', meaning: 'arithmetic' },
    ],
  },
]

/** A value that is not known yet is neither true nor false. */
export const UNKNOWN_NOTE =
  'Missing data or too few bars make a condition unknown. Only a true rule matches; '
  + '“not unknown” is still unknown.'
