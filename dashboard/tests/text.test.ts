import { describe, expect, test } from 'vitest'
import { applySuggestion, canApply, markError, offsetOf } from '../src/pure/caret'
import {
  digitsToTellApart, explainingValues, formatAge, formatCooldown, formatCount,
  formatPrice, formatSpan, formatUtc,
  formatUtcFull, formatValue, formatValueExact,
} from '../src/pure/format'

describe('format', () => {
  const now = Date.UTC(2026, 10, 21, 3, 12, 30)

  test('times are UTC, with the day when it is not today', () => {
    expect(formatUtc(now - 30_000, now)).toBe('03:12:00')
    expect(formatUtc(now - 4 * 3_600_000, now)).toBe('11-20 23:12:30')
    expect(formatUtcFull(now + 7)).toBe('2026-11-21 03:12:30.007 UTC')
    expect(formatUtcFull(now)).toBe('2026-11-21 03:12:30 UTC')
  })

  test.each([
    [-500, '0 s'], [59_999, '59 s'], [60_000, '1 min'], [3_599_999, '59 min'],
    [3_600_000, '1 h'], [47 * 3_600_000, '47 h'], [48 * 3_600_000, '2 d'],
  ])('age %d ms is %s', (age_ms, text) => expect(formatAge(age_ms)).toBe(text))

  test.each([[412, '412 ms'], [1_249, '1.2 s'], [34_000, '34 s'], [126_000, '2 min']])(
    'span %d ms is %s', (span_ms, text) => expect(formatSpan(span_ms)).toBe(text))

  test.each([
    ['67321.12000000', '67,321.12'], ['0.00001234', '0.00001234'], ['1000', '1,000'],
    ['100.0', '100'], ['-1234567.50', '-1,234,567.5'], ['1e-7', '1e-7'],
  ])('price %s is %s', (decimal, text) => expect(formatPrice(decimal)).toBe(text))

  test.each([
    [27.3141592, '27.31'], [101, '101'], [1.0001234, '1.0001'], [0.000012345, '0.00001234'],
    [67321.129, '67,321.13'], [1.5e13, '15,000,000,000,000'], [1.55e13 + 0.5, '1.550e+13'],
    [-0.25, '-0.25'], [1e-9, '1.000e-9'], [0, '0'],
  ])('value %d is %s', (value, text) => expect(formatValue(value)).toBe(text))

  test('values of one signal are told apart, constants included', () => {
    const read = (values: Record<string, number>) =>
      Object.values(values).map((value) => formatValue(value, digitsToTellApart(values))).sort()
    expect(read({ close: 0.26014, 'sma(20)': 0.260139 })).toEqual(['0.260139', '0.26014'])
    expect(read({ 'rsi(14)': 29.998, '30': 30 })).toEqual(['29.998', '30'])
    expect(read({ 'rsi(14)': 27.3141, '30': 30 })).toEqual(['27.31', '30'])
    expect(read({ a: 5.25, b: 5.25 })).toEqual(['5.25', '5.25'])
  })

  test('the exact value has twelve digits', () =>
    expect(formatValueExact(25.25016022431234)).toBe('25.2501602243'))

  test('constants explain nothing', () =>
    expect(explainingValues({ 'rsi(14)': 27, '30': 30, '-1.5': -1.5, '2 * close': 4 }))
      .toEqual([['rsi(14)', 27], ['2 * close', 4]]))

  test('counts and cooldowns read as words', () => {
    expect([formatCount(1, 'match'), formatCount(2_000, 'match'), formatCount(0, 'signal')])
      .toEqual(['1 match', '2,000 matches', '0 signals'])
    expect([0, 90, 300, 7_200, 86_400].map(formatCooldown))
      .toEqual(['none', '90 s', '5 min', '2 h', '1 d'])
  })
})

describe('error caret', () => {
  const rule = 'close > sma(20)\n  and foo(14) < 30'

  test('stands under the whole word, in its line', () =>
    expect(markError(rule, 2, 7)).toEqual({ text: '  and foo(14) < 30', caret: '      ^^^' }))

  test('stands behind the end when something is missing there', () =>
    expect(markError('close >', 1, 8)).toEqual({ text: 'close >', caret: '       ^' }))

  test('keeps tabs, so that both lines are equally wide', () =>
    expect(markError('\tfoo', 1, 2)?.caret).toBe('\t^^^'))

  test('is absent where there is no such line', () => expect(markError(rule, 3, 1)).toBeNull())

  test('offset counts line ends', () => {
    expect(rule.slice(offsetOf(rule, 2, 7)).startsWith('foo')).toBe(true)
    expect(offsetOf(rule, 9, 99)).toBe(rule.length)
  })
})

describe('suggestion', () => {
  test.each([
    ['a word', 'close > smaa(20)', 9, 'sma', 'close > sma(20)'],
    ['a foreign operator', 'close > open && rsi(14) < 30', 14, 'and',
      'close > open and rsi(14) < 30'],
    ['a dotted name', 'ta.rsii(14) < 30', 1, 'rsi', 'rsi(14) < 30'],
    ['a lone equals sign', 'close = open', 7, '==', 'close == open'],
    ['a series called like a function', 'close(1) > open', 1, 'close[1]', 'close[1] > open'],
    ['a call with its arguments', 'rsi(1) < 30', 1, 'rsi(14)', 'rsi(14) < 30'],
    ['the call around an extra argument', 'sma(close, 20, 3) > 1 and max(a, sma(2))', 16,
      'sma(50)', 'sma(50) > 1 and max(a, sma(2))'],
    ['the name of a parameter', 'rsi(len=14) < 30', 9, 'n', 'rsi(n=14) < 30'],
    ['a missing operator', '3(close) > 1', 2, '3 * (', '3 * (close) > 1'],
  ])('replaces %s', (_what, rule, column, suggestion, expected) =>
    expect(applySuggestion(rule, 1, column, suggestion).rule).toBe(expected))

  test('selects the place that is still open', () => {
    const { rule, selection } = applySuggestion('rsi(14)', 1, 1, 'rsi(14) > …')
    expect(rule).toBe('rsi(14) > …')
    expect(rule.slice(...selection)).toBe('…')
  })

  test('in a later line', () =>
    expect(applySuggestion('close > 1\nand foo(2)', 2, 5, 'rsi').rule)
      .toBe('close > 1\nand rsi(2)'))

  test('an example with open places is only shown', () =>
    expect([canApply('crosses_above(a, b)'), canApply('rsi'), canApply('')])
      .toEqual([false, true, false]))
})
