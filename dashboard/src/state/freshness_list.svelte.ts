// How old the data is: polled, and moved forward by every signal that proves a finished slot.
import type { Backend } from '../edge/backend'
import { advanceFreshness, judgeFreshness, mostTelling, notLiveFeeds } from '../pure/freshness'
import { restProblem, type Problem } from '../pure/problems'
import type { Feed, FeedRow, Signal } from '../pure/types'
import { clock } from './clock.svelte'

const POLL_EVERY_MS = 30_000

export class FreshnessList {
  rows = $state.raw<readonly FeedRow[]>([])
  is_loaded = $state(false)
  problem = $state.raw<Problem | null>(null)

  judged = $derived(judgeFreshness(this.rows, clock.now_ms))
  telling = $derived(mostTelling(this.judged))
  stale = $derived(this.judged.filter((row) => row.is_stale))
  is_paused = $derived(this.rows.some((row) => row.is_paused))

  #is_polling_soon = false

  constructor(
    private readonly backend: Backend,
    private readonly configured_feed: Feed | null,
  ) {}

  get not_live(): Feed[] {
    return notLiveFeeds(this.rows, this.configured_feed)
  }

  start(): () => void {
    void this.poll()
    const handle = setInterval(() => void this.poll(), POLL_EVERY_MS)
    return () => clearInterval(handle)
  }

  async poll(): Promise<void> {
    try {
      this.rows = await this.backend.selectFeedStatus()
      this.problem = null
      this.is_loaded = true
    } catch (error) {
      this.problem = restProblem(error)
    }
  }

  /** A slot of an interval that was never seen: do not wait for the next poll, but ask once. */
  #pollSoon(): void {
    if (this.#is_polling_soon) return
    this.#is_polling_soon = true
    void this.poll().finally(() => {
      this.#is_polling_soon = false
    })
  }

  advance(signals: readonly Signal[]): void {
    this.rows = advanceFreshness(this.rows, signals)
    const known = new Set(this.rows.map((row) => row.interval))
    if (signals.some((signal) => !known.has(signal.interval))) this.#pollSoon()
  }
}
