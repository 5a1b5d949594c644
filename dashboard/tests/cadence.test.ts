import { describe, expect, test } from 'vitest'
import { cadenceOf, checkCadence, choiceOf, describeCadence } from '../src/pure/cadence'
import { checkDraft, emptyDraft, requestOf } from '../src/pure/draft'

describe('cadence', () => {
  test.each(['close', 'every 3 closes', 'every 1000 closes', '30 8 * * 1-5', '*/5 * * * *'])(
    'a stored text becomes a choice and the same text: %s',
    (text) => expect(cadenceOf(choiceOf(text))).toBe(text),
  )

  test('blanks in a cron expression do not matter', () =>
    expect(cadenceOf({ kind: 'cron', count: 3, cron: '  30  8 * * 1-5 ' })).toBe('30 8 * * 1-5'))

  test.each([
    ['close', '5m', 'each 5m close'],
    ['every 2 closes', '1m', 'every 2nd 1m close (2 min)'],
    ['every 3 closes', '5m', 'every 3rd 5m close (15 min)'],
    ['every 12 closes', '5m', 'every 12th 5m close (1 h)'],
    ['every 21 closes', '1d', 'every 21st 1d close (21 d)'],
    ['every 111 closes', '1h', 'every 111th 1h close (111 h)'],
    ['30 8 * * 1-5', '1h', 'the 1h close at or after 08:30 UTC, Mon–Fri'],
    ['0 8,16 * * *', '5m', 'the 5m close at or after 08:00 and 16:00 UTC'],
    ['0 * * * *', '15m', 'the 15m close at or after :00 of each hour'],
    ['5 */4 * * *', '1m', 'the 1m close at or after :05 of every 4th hour, UTC'],
    ['*/20 * * * *', '1m', 'the 1m close at or after every 20 min'],
    ['0 0 1 1,7 *', '1d', 'the 1d close at or after 00:00 UTC, day 1 in Jan and Jul'],
    ['0 0 13 * 5', '1h', 'the 1h close at or after 00:00 UTC, day 13 or Fri'],
    ['0-30 9 * * 0,6', '1m', 'the 1m close at or after minute 0-30 of hour 9 UTC, Sun and Sat'],
    ['30 8 * jan MON-fri', '1h', 'the 1h close at or after 08:30 UTC, Mon–Fri in Jan'],
    ['0 0 * * */2', '1h', 'the 1h close at or after 00:00 UTC, weekday */2'],
  ])('%s of %s in words', (cadence, interval, words) =>
    expect(describeCadence(cadence, interval)).toBe(words))

  test.each([1, 0, 1_001, 2.5, NaN])('%s closes are refused', (count) =>
    expect(checkCadence({ kind: 'count', count, cron: '' })).toContain('2 to 1,000'))

  test.each([
    ['* * * *', 'five fields'],
    ['', 'five fields'],
    ['0 mon * * *', '“mon”'],
    ['0 8 * mon *', '“mon”'],
    ['0 8 * * monday', '“monday”'],
  ])('“%s” is refused', (cron, words) =>
    expect(checkCadence({ kind: 'cron', count: 3, cron })).toContain(words))

  test.each(['0 8 * * mon-fri', '0 0 1 JAN,jul *'])('“%s” is let through', (cron) =>
    expect(checkCadence({ kind: 'cron', count: 3, cron })).toBeNull())

  test('the form names the field and sends the text', () => {
    const draft = { ...emptyDraft(), rule: 'close > 1', name: 'n' }
    const wrong = { ...draft, cadence: { ...draft.cadence, kind: 'count' as const, count: 1 } }
    expect(checkDraft(wrong, true)?.field).toBe('cadence')
    const right = { ...draft, cadence: { ...draft.cadence, kind: 'cron' as const } }
    expect(checkDraft(right, true)).toBeNull()
    expect(requestOf(right, true).cadence).toBe('0 * * * *')
  })
})
