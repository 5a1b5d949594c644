// How old the market data is, judged by data alone: the newest finished close per interval.
import { intervalMs } from './interval'
import type { Feed, FeedRow, Signal } from './types'

/** A close may be this late before its data is called stale. */
export const STALE_MARGIN_MS = 60_000

export interface Freshness extends FeedRow {
  readonly age_ms: number
  readonly is_stale: boolean
}

/**
 * Shortest interval first. Stale: no close for one interval and a minute more; but where no trader
 * is due at each close, a close may be old because nobody was due since.
 */
export function judgeFreshness(rows: readonly FeedRow[], now_ms: number): Freshness[] {
  return rows
    .map((row) => {
      const age_ms = now_ms - row.closed_at_ms
      const is_late = age_ms > intervalMs(row.interval) + STALE_MARGIN_MS
      return { ...row, age_ms, is_stale: is_late && row.is_each_close }
    })
    .sort((a, b) => intervalMs(a.interval) - intervalMs(b.interval))
}

/** The row a short chip shows: the stale one with the shortest interval, else the shortest. */
export function mostTelling(rows: readonly Freshness[]): Freshness | null {
  return rows.find((row) => row.is_stale) ?? rows[0] ?? null
}

/** A signal proves that its slot was finished: later than what the last poll knew. */
export function advanceFreshness(
  rows: readonly FeedRow[],
  signals: readonly Signal[],
): readonly FeedRow[] {
  let changed = rows
  for (const signal of signals) {
    changed = changed.map((row) =>
      row.venue === signal.venue && row.interval === signal.interval
        && row.feed === signal.feed && signal.closed_at_ms > row.closed_at_ms
        ? { ...row, closed_at_ms: signal.closed_at_ms }
        : row,
    )
  }
  return changed
}

/** Every feed that is on screen and is not the live market. */
export function notLiveFeeds(rows: readonly FeedRow[], configured: Feed | null): Feed[] {
  const feeds = rows.length > 0 ? rows.map((row) => row.feed) : configured ? [configured] : []
  return [...new Set(feeds)].filter((feed) => feed !== 'live')
}

export const FEED_LABELS: Readonly<Record<Feed, string>> = {
  live: 'LIVE', simulated: 'SIMULATED', replay: 'REPLAY',
}
