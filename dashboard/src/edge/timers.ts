// The browser's clock and timers, as the feed wants them.
import type { Timers } from '../feed_state'

export const browserTimers: Timers = {
  nowMs: () => Date.now(),
  after: (delay_ms, callback) => {
    const handle = setTimeout(callback, delay_ms)
    return () => clearTimeout(handle)
  },
}
