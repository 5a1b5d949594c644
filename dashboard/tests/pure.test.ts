import { describe, expect, test } from 'vitest'
import { parseConfig } from '../src/config'
import { backoffMs } from '../src/pure/backoff'
import {
  checkDraft, checkedPart, draftOf, emptyDraft, parseUniverse, requestOf,
} from '../src/pure/draft'
import { advanceFreshness, judgeFreshness, mostTelling, notLiveFeeds } from '../src/pure/freshness'
import {
  Malformed, parseFeedRow, parseInstantMs, parsePreview, parseSignal, parseTrader,
} from '../src/pure/parse'
import { authProblem, functionProblem, restProblem } from '../src/pure/problems'
import { countNew, filterSignals, mergeSignals, NO_FILTER } from '../src/pure/signals'
import type { FeedRow } from '../src/pure/types'
import { row, rowsOf } from './fakes'

const MINUTE = 60_000
const signals = rowsOf(1, 5).map(parseSignal).reverse()
const idsOf = (list: readonly { id: number }[]) => list.map(({ id }) => id)

describe('parseInstantMs', () => {
  const expected = Date.UTC(2026, 10, 21, 3, 12, 0, 481)
  test.each([
    '2026-11-21 03:12:00.481234+00', '2026-11-21T03:12:00.481+00:00', '2026-11-21T03:12:00.481Z',
    '2026-11-21 03:12:00.481', '2026-11-21T05:42:00.481+02:30', '2026-11-20 22:12:00.481-05',
  ])('%s', (text) => expect(parseInstantMs(text, 'at')).toBe(expected))

  test.each([null, 5, '', 'yesterday', '2026-11-21'])('refuses %s', (value) =>
    expect(() => parseInstantMs(value, 'at')).toThrow(Malformed))
})

describe('parse', () => {
  test('a signal of REST and the same of a broadcast are equal', () => {
    const broadcast = row(1, {
      closed_at: '2026-11-21T03:12:00+00:00', created_at: '2026-11-21T03:12:00.481234+00:00',
      values: '{"rsi(14)": 27.31}', id: '1',
    })
    expect(parseSignal(broadcast)).toEqual(parseSignal(row(1)))
  })

  test('a signal with an unknown trigger is refused, not guessed', () =>
    expect(() => parseSignal(row(1, { trigger: 'sometimes' }))).toThrow('trigger'))

  test('a universe may be null, an array, or its Postgres text', () => {
    const trader = {
      id: 1, name: 'a', rule: 'close > open', venue: 'binance', interval: '1m', trigger: 'enter',
      cooldown_s: 0, enabled: true, version: 1,
    }
    expect(parseTrader({ ...trader, universe: null }).universe).toBeNull()
    expect(parseTrader({ ...trader, universe: ['A', 'B'] }).universe).toEqual(['A', 'B'])
    expect(parseTrader({ ...trader, universe: '{A,"B"}' }).universe).toEqual(['A', 'B'])
  })

  test('a preview before there is data', () =>
    expect(parsePreview({
      closed_at_ms: null, matched_count: 0, triggered_count: 0, known_count: 0, unknown_count: 0,
      matches: [], unknown_reason: 'no 1m klines yet',
    })).toMatchObject({ closed_at_ms: null, unknown_reason: 'no 1m klines yet' }))

  test('config without a demo account', () =>
    expect(parseConfig({
      supabase_url: 'http://x', publishable_key: 'k', functions_url: 'http://x/functions/v1/',
    })).toMatchObject({ functions_url: 'http://x/functions/v1', demo: null, feed: null }))
})

describe('signals', () => {
  test('merge is newest first, each id once, bounded from the old end', () => {
    const more = [7, 3, 6].map((id) => parseSignal(row(id)))
    expect(idsOf(mergeSignals(signals, more))).toEqual([7, 6, 5, 4, 3, 2, 1])
    expect(idsOf(mergeSignals(signals, more, 3))).toEqual([7, 6, 5])
  })

  test('merge of nothing new is the same array', () =>
    expect(mergeSignals(signals, signals.slice(1))).toBe(signals))

  test('filter by trader, part of the instrument, origin', () => {
    const list = [
      parseSignal(row(3, { instrument: 'ETHUSDT' })), parseSignal(row(2, { origin: 'late' })),
      parseSignal(row(1, { trader_id: 8 })),
    ]
    const ids = (filter: object) => idsOf(filterSignals(list, { ...NO_FILTER, ...filter }))
    expect(ids({ instrument: ' eth ' })).toEqual([3])
    expect(ids({ origin: 'late' })).toEqual([2])
    expect(ids({ trader_id: 8 })).toEqual([1])
    expect(ids({ trader_id: 8, instrument: 'eth' })).toEqual([])
  })

  test('countNew counts what is not on screen', () =>
    expect(countNew(signals.slice(2), signals)).toBe(2))
})

describe('freshness', () => {
  const now = Date.UTC(2026, 10, 21, 3, 12, 0)
  const feedRow = (interval: string, age_ms: number, more: Partial<FeedRow> = {}): FeedRow => ({
    venue: 'binance', interval, feed: 'live', closed_at_ms: now - age_ms, complete: true,
    missing_count: 0, is_each_close: true, is_paused: false, ...more,
  })

  test('stale is older than one interval and a minute', () => {
    const judge = (age_ms: number) => judgeFreshness([feedRow('5m', age_ms)], now)[0]!.is_stale
    expect([judge(6 * MINUTE), judge(6 * MINUTE + 1)]).toEqual([false, true])
  })

  test('where nobody is due at each close, an old one is not stale', () => {
    const row = feedRow('5m', 60 * MINUTE, { is_each_close: false })
    expect(judgeFreshness([row], now)[0]!.is_stale).toBe(false)
  })

  test('a row says whether evaluation is held back; an older database does not', () => {
    const wire = {
      venue: 'binance', interval: '1m', feed: 'live', closed_at: '2026-11-21T03:12:00+00:00',
    }
    const told = [{ is_paused: true }, { is_paused: false }, {}]
    expect(told.map((more) => parseFeedRow({ ...wire, ...more }).is_paused))
      .toEqual([true, false, false])
  })

  test('the chip shows the shortest interval, a stale one first', () => {
    const calm = judgeFreshness([feedRow('1h', MINUTE), feedRow('1m', 5_000)], now)
    expect(mostTelling(calm)?.interval).toBe('1m')
    const stale = judgeFreshness([feedRow('1h', 62 * MINUTE), feedRow('1m', 5_000)], now)
    expect(mostTelling(stale)?.interval).toBe('1h')
  })

  test('a signal moves its own interval forward, never back', () => {
    const rows = [feedRow('1m', MINUTE, { feed: 'simulated' }), feedRow('5m', MINUTE)]
    const later = parseSignal(row(1, { closed_at: new Date(now).toISOString() }))
    const ages = advanceFreshness(rows, [later]).map((item) => now - item.closed_at_ms)
    expect(ages).toEqual([0, MINUTE])
    expect(advanceFreshness(rows, [parseSignal(row(1, { closed_at: '2026-11-20 00:00:00+00' }))]))
      .toEqual(rows)
  })

  test('feeds that are not live: from the rows, else from the configuration', () => {
    expect(notLiveFeeds([], 'replay')).toEqual(['replay'])
    expect(notLiveFeeds([feedRow('1m', 0)], 'simulated')).toEqual([])
  })
})

describe('draft', () => {
  const draft = { ...emptyDraft(), rule: ' rsi(14) < 30 ', is_whole_universe: false }

  test('symbols from free text', () =>
    expect(parseUniverse('btcusdt, ETHUSDT;\n btcusdt')).toEqual(['BTCUSDT', 'ETHUSDT']))

  test('request carries an id only when there is one', () => {
    const request = requestOf({ ...draft, universe_text: 'btcusdt' }, true)
    expect(request).toEqual({
      name: 'Draft', description: '', rule: 'rsi(14) < 30', venue: 'binance',
      universe: ['BTCUSDT'], interval: '1m', trigger: 'enter', cooldown_s: 0,
      cadence: 'close', enabled: true, dry_run: true,
    })
  })

  test('what is missing is named; a check needs no name', () => {
    const whole = { ...draft, is_whole_universe: true }
    expect(checkDraft({ ...whole, rule: ' ' }, true)?.field).toBe('rule')
    expect(checkDraft(draft, true)?.field).toBe('universe')
    expect(checkDraft(whole, true)).toBeNull()
    expect(checkDraft(whole, false)?.field).toBe('name')
  })

  test('a check stays valid when only the name changes', () => {
    expect(checkedPart({ ...draft, name: 'other' })).toBe(checkedPart(draft))
    expect(checkedPart({ ...draft, cadence: { ...draft.cadence, kind: 'count' } }))
      .not.toBe(checkedPart(draft))
    expect(checkedPart({ ...draft, interval: '5m' })).not.toBe(checkedPart(draft))
  })

  test('a trader becomes a draft and the same request again', () => {
    const trader = parseTrader({
      id: 4, name: 'n', rule: 'close > open', venue: 'binance', universe: ['A'], interval: '1h',
      trigger: 'while', cooldown_s: 60, cadence: 'every 3 closes', enabled: false, version: 2,
    })
    expect(requestOf(draftOf(trader), false)).toMatchObject({
      id: 4, universe: ['A'], interval: '1h', trigger: 'while', cooldown_s: 60,
      cadence: 'every 3 closes', enabled: false,
    })
  })
})

describe('problems', () => {
  test('a refused rule keeps its place', () =>
    expect(functionProblem(400, { error: {
      code: 'InvalidRule', message: 'expected a function', hint: '', field: 'rule', line: 2,
      column: 7, suggestion: 'rsi',
    } })).toMatchObject({ field: 'rule', line: 2, column: 7, suggestion: 'rsi' }))

  test('an answer that is no JSON names its status', () =>
    expect(functionProblem(502, null).message).toContain('502'))

  test('a wrong password in plain words, with and without a code', () => {
    const words = 'This e-mail and password do not match an account.'
    expect(authProblem({ code: 'invalid_credentials', message: 'x' }).message).toBe(words)
    expect(authProblem({ message: 'Invalid login credentials' }).message).toBe(words)
  })

  test('a server that is away is not the user’s fault', () =>
    expect(restProblem({ message: 'TypeError: Failed to fetch', code: '' }).code)
      .toBe('Unreachable'))
})

test('backoff grows, is capped, and never at once', () => {
  expect([0, 1, 2].map((attempt) => backoffMs(attempt, 0))).toEqual([500, 1_000, 2_000])
  expect(backoffMs(50, 0.999)).toBeLessThanOrEqual(30_000)
  expect(backoffMs(50, 0)).toBe(15_000)
})
