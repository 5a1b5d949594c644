// Lists of signals: newest first by id (the order in which they were stored), each id once.
// Pure; used by the feed and by the screen's filter.
import type { Origin, Signal } from './types'

/** Signals kept in memory. A thousand rows of ~1 kB are about 1 MB: bounded on a phone too. */
export const SIGNALS_MAX = 1_000

/**
 * Merge into a list that is sorted newest first; a row that is there already is kept as it is.
 * Returns the same array when nothing is new, so that a caller can skip drawing.
 */
export function mergeSignals(
  current: readonly Signal[],
  incoming: readonly Signal[],
  max: number = SIGNALS_MAX,
): readonly Signal[] {
  const seen = new Set(current.map((signal) => signal.id))
  const added: Signal[] = []
  for (const signal of incoming) {
    if (seen.has(signal.id)) continue
    seen.add(signal.id)
    added.push(signal)
  }
  if (added.length === 0) return current
  return [...current, ...added].sort((a, b) => b.id - a.id).slice(0, max)
}

export interface SignalFilter {
  readonly trader_id: number | null
  /** Any part of the instrument's name, in any case. */
  readonly instrument: string
  readonly origin: Origin | null
}

export const NO_FILTER: SignalFilter = { trader_id: null, instrument: '', origin: null }

export function isFiltered(filter: SignalFilter): boolean {
  return filter.trader_id !== null || filter.instrument.trim() !== '' || filter.origin !== null
}

export function filterSignals(
  signals: readonly Signal[],
  filter: SignalFilter,
): readonly Signal[] {
  if (!isFiltered(filter)) return signals
  const needle = filter.instrument.trim().toUpperCase()
  return signals.filter(
    (signal) =>
      (filter.trader_id === null || signal.trader_id === filter.trader_id) &&
      (filter.origin === null || signal.origin === filter.origin) &&
      signal.instrument.toUpperCase().includes(needle),
  )
}

/** How many of `latest` are not among the rows on screen: the number in the "12 new" pill. */
export function countNew(shown: readonly Signal[], latest: readonly Signal[]): number {
  const ids = new Set(shown.map((signal) => signal.id))
  return latest.reduce((count, signal) => (ids.has(signal.id) ? count : count + 1), 0)
}
