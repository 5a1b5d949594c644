// How long to wait before trying again: capped, full jitter, so that a thousand pages that lost
// the same server do not come back in the same instant.

export const BACKOFF_BASE_MS = 1_000
export const BACKOFF_MAX_MS = 30_000

/**
 * Delay before try number `attempt` (from 0), in ms: between half of and the whole capped step.
 * `random` is in [0, 1). The lower half is left out so that a retry is never at once.
 */
export function backoffMs(attempt: number, random: number): number {
  const step = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 10))
  return Math.round(step * (0.5 + random / 2))
}
