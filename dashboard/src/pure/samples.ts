// Rules to start from. They use only what every version of the language has.
import { emptyDraft, type TraderDraft } from './draft'

export interface Sample {
  readonly name: string
  readonly description: string
  readonly rule: string
}

export const SAMPLES: readonly [Sample, ...Sample[]] = [
  {
    name: 'RSI leaves oversold',
    description: 'The 14-bar RSI rises through 30: selling pressure has let up.',
    rule: 'crosses_above(rsi(14), 30)',
  },
  {
    name: 'New 20-bar high on volume',
    description: 'The close is above the last 20 highs, on twice the usual volume.',
    rule: 'close > highest(high, 20)[1] and volume > 2 * sma(volume, 20)',
  },
  {
    name: 'Trend turns up',
    description: 'The 9-bar average crosses above the 21-bar average.',
    rule: 'crosses_above(ema(9), ema(21))',
  },
]

export function draftOfSample(sample: Sample): TraderDraft {
  return { ...emptyDraft(), ...sample }
}
