// The signals on screen: what the feed knows, filtered, frozen while somebody reads.
// The feed decides what is true, the painter when it is drawn; this decides what is shown.
import { flushSync } from 'svelte'
import { MeasuringAid, Painter } from '../edge/painter'
import { SignalFeed } from '../feed'
import {
  connectionState, type Doorbell, type FeedState, type SignalTable, type Timers,
} from '../feed_state'
import { restProblem, type Problem } from '../pure/problems'
import {
  countNew, filterSignals, isFiltered, NO_FILTER, SIGNALS_MAX, type SignalFilter,
} from '../pure/signals'
import type { Signal } from '../pure/types'

/** Rows drawn at first, and again for each time the end comes into view: the DOM stays small. */
const DRAWN_STEP = 120
const OLDER_PAGE = 200

interface OlderTable extends SignalTable {
  selectOlder(before_id: number, filter: SignalFilter, limit: number): Promise<readonly Signal[]>
}

export interface SignalListParts {
  readonly doorbell: Doorbell
  readonly table: OlderTable
  readonly timers: Timers
  readonly onAdded: (signals: readonly Signal[]) => void
}

export class SignalList {
  /** The live part on screen, newest first. */
  rows = $state.raw<readonly Signal[]>([])
  /** Older pages that were asked for, below `rows`; at most SIGNALS_MAX. */
  older = $state.raw<readonly Signal[]>([])
  has_older = $state(true)
  is_loading_older = $state(false)
  older_problem = $state.raw<Problem | null>(null)
  /** Waiting above the rows that are being read. */
  pending_count = $state(0)
  filter = $state.raw<SignalFilter>(NO_FILTER)
  feed_state = $state.raw<FeedState>(null as unknown as FeedState)
  is_online = $state(navigator.onLine)
  drawn_max = $state(DRAWN_STEP)
  /** The newest batch that came after the first snapshot: marked on screen. */
  fresh_ids = $state.raw<ReadonlySet<number>>(new Set())

  shown = $derived([...this.rows, ...this.older].slice(0, this.drawn_max))
  total = $derived(this.rows.length + this.older.length)
  connection = $derived(connectionState(this.feed_state, this.is_online))

  readonly aid = new MeasuringAid()
  #is_reading = false
  #is_on_screen = false
  #drawn_ids = new Set<number>()
  #added_ids: number[] = []
  #older_generation = 0
  #feed: SignalFeed
  #painter = new Painter(() => this.#draw(), (ids, at_ms) => this.aid.note(ids, at_ms))

  constructor(private readonly parts: SignalListParts) {
    this.#feed = new SignalFeed({
      doorbell: parts.doorbell, table: parts.table, timers: parts.timers, random: Math.random,
      onChange: (added) => {
        const had_snapshot = this.feed_state?.has_snapshot
        if (had_snapshot) {
          const ids = [...this.#added_ids, ...added.map((signal) => signal.id)]
          this.#added_ids = ids.slice(-SIGNALS_MAX)
        }
        if (added.length > 0) parts.onAdded(added)
        this.#painter.schedule()
        // The chip is small and must not wait for a frame that a hidden tab never draws.
        this.feed_state = this.#feed.state
      },
    })
    this.feed_state = this.#feed.state
  }

  start(): () => void {
    const onFocus = () => {
      if (document.visibilityState === 'visible') void this.#feed.heal()
    }
    const onNetwork = () => {
      this.is_online = navigator.onLine
      if (this.is_online) void this.#feed.heal()
    }
    document.addEventListener('visibilitychange', onFocus)
    addEventListener('focus', onFocus)
    addEventListener('online', onNetwork)
    addEventListener('offline', onNetwork)
    this.#feed.start()
    return () => {
      document.removeEventListener('visibilitychange', onFocus)
      removeEventListener('focus', onFocus)
      removeEventListener('online', onNetwork)
      removeEventListener('offline', onNetwork)
      void this.#feed.stop()
    }
  }

  /** While reading (scrolled down) nothing moves: new rows wait behind the pill. */
  setReading(is_reading: boolean): void {
    if (is_reading === this.#is_reading) return
    this.#is_reading = is_reading
    if (!is_reading) this.drawn_max = DRAWN_STEP
    this.#painter.schedule()
  }

  /** The table is mounted or not: rows that are not in the page are not 'shown'. */
  setOnScreen(is_on_screen: boolean): void {
    this.#is_on_screen = is_on_screen
    this.#is_reading = false
    this.drawn_max = DRAWN_STEP
    this.#drawn_ids.clear()
    this.#painter.schedule()
  }

  setFilter(filter: SignalFilter): void {
    this.filter = filter
    this.#older_generation += 1
    this.older = []
    this.has_older = true
    this.is_loading_older = false
    this.drawn_max = DRAWN_STEP
    this.#show()
    this.#painter.schedule()
  }

  /** Draw more of what is here; ask the table when all of it is drawn. */
  async showMore(): Promise<void> {
    if (this.drawn_max < this.total) {
      this.drawn_max += DRAWN_STEP
      return
    }
    await this.loadOlder()
  }

  async loadOlder(): Promise<void> {
    if (this.is_loading_older) return
    const generation = this.#older_generation
    const before_id = (this.older.at(-1) ?? this.#feed.signals.at(-1))?.id
    if (before_id === undefined) return
    this.is_loading_older = true
    this.older_problem = null
    try {
      const page = await this.parts.table.selectOlder(before_id, this.filter, OLDER_PAGE)
      if (generation !== this.#older_generation) return
      const older = [...this.older, ...page]
      this.older = older.slice(0, SIGNALS_MAX)
      this.has_older = page.length === OLDER_PAGE && older.length < SIGNALS_MAX
      this.drawn_max += DRAWN_STEP
    } catch (error) {
      if (generation === this.#older_generation) this.older_problem = restProblem(error)
    } finally {
      if (generation === this.#older_generation) this.is_loading_older = false
    }
  }

  forgetTrader(trader_id: number): void {
    this.older = this.older.filter((signal) => signal.trader_id !== trader_id)
    this.#feed.forgetTrader(trader_id)
    this.#show()
  }

  get is_filtered(): boolean {
    return isFiltered(this.filter)
  }

  /** Runs once per frame: bring the rows up to date, return the ids that became visible. */
  #draw(): readonly number[] {
    flushSync(() => {
      if (this.#is_reading) {
        const latest = filterSignals(this.#feed.signals, this.filter)
        this.pending_count = countNew([...this.rows, ...this.older], latest)
      } else {
        this.#show()
      }
    })
    if (!this.#is_on_screen) return []
    const ids = this.shown.map((signal) => signal.id)
    const appeared = ids.filter((id) => !this.#drawn_ids.has(id))
    this.#drawn_ids = new Set(ids)
    return appeared
  }

  #show(): void {
    const latest = filterSignals(this.#feed.signals, this.filter)
    // Rows that fell out of memory leave a hole above the older pages: drop those pages.
    const floor = this.#feed.signals.at(-1)?.id ?? 0
    if (this.older.length > 0 && this.#floor !== null && floor > this.#floor) {
      this.older = []
      this.has_older = true
    }
    this.#floor = floor
    if (this.#added_ids.length > 0) this.fresh_ids = new Set(this.#added_ids)
    this.#added_ids = []
    this.rows = latest
    this.pending_count = 0
  }

  #floor: number | null = null
}
