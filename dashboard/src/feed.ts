// The truth machine of the screen: the table is the truth, Realtime is a doorbell.
//
// It opens the private channel, takes a snapshot once it is joined, merges what the doorbell
// carries, and heals by `id > …` on every (re)subscription, on tab focus and each minute. It says
// honestly how far it can be trusted (see feed_state.ts).
// Not here: sockets, HTTP, clocks or the screen. They are passed in; state/signal_list drives it.
import type { FeedParts, FeedState } from './feed_state'
import { backoffMs } from './pure/backoff'
import { fieldsOf, integerOf, Malformed, parseSignals } from './pure/parse'
import { mergeSignals, SIGNALS_MAX } from './pure/signals'
import type { Signal } from './pure/types'

/** Rows of the first select. */
export const SNAPSHOT_ROWS = 200
/** Ids are taken before commit, so a lower id can appear after a higher one: look back this far. */
export const HEAL_OVERLAP_IDS = 200
const HEAL_EVERY_MS = 60_000
/** While the doorbell is away the table is asked more often: late, but not silent. */
const POLL_AWAY_MS = 15_000
/** Without a channel, at the start or when it was lost, the table is asked after this long. */
const FIRST_POLL_MS = 2_000
/** The library reconnects by itself after a lost socket; past this it gets a new channel. */
const LOST_MAX_MS = 30_000
/** A channel that lived this long was accepted: the next refusal starts the backoff anew. */
const ACCEPTED_AFTER_MS = 30_000

export class SignalFeed {
  signals: readonly Signal[] = []
  state: FeedState = {
    channel: 'joining', has_snapshot: false, is_catching_up: true, heal_failures: 0,
    healed_at_ms: null, malformed_count: 0, reason: '',
  }

  #generation = 0
  #refusals = 0
  #joined_at_ms = 0
  #stopped = true
  #cancel_heal = () => {}
  #cancel_join = () => {}
  #healing: Promise<void> | null = null
  #heal_again = false
  /** Newest id a *select* has seen. Rings do not move it: a row that got lost is found again. */
  #healed_id: number | null = null
  /** Lowest id the next heal must reach back to, beyond its usual overlap. */
  #wanted_id = Number.POSITIVE_INFINITY

  constructor(private readonly parts: FeedParts) {}

  start(): void {
    this.#stopped = false
    this.#healAfter(FIRST_POLL_MS)
    void this.#join()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#generation += 1
    this.#cancel_heal()
    this.#cancel_join()
    await this.parts.doorbell.leave()
  }

  /** Make the list equal to the table. Calls that come during a heal share one that follows it. */
  heal(): Promise<void> {
    if (this.#healing) {
      this.#heal_again = true
      return this.#healing
    }
    this.#cancel_heal()
    this.#healing = this.#healUntilQuiet().finally(() => {
      this.#healing = null
      this.#healAfter(this.#nextHealMs())
    })
    return this.#healing
  }

  /** The database cascades a trader's deletion to its signals; so does the screen. */
  forgetTrader(trader_id: number): void {
    this.signals = this.signals.filter((signal) => signal.trader_id !== trader_id)
    this.#emit([])
  }

  async #join(): Promise<void> {
    const generation = ++this.#generation
    const current = (call: () => void) => () => {
      if (generation === this.#generation) call()
    }
    this.#cancel_join()
    this.#set({ channel: 'joining', is_catching_up: true })
    try {
      await this.parts.doorbell.join({
        onJoined: current(() => this.#onJoined()),
        onRing: (payload) => current(() => this.#onRing(payload))(),
        onLost: (reason) => current(() => this.#onLost(reason))(),
        onRefused: (reason) => current(() => this.#onRefused(reason))(),
      })
    } catch (error) {
      current(() => this.#onRefused(reasonOf(error)))()
    }
  }

  #onJoined(): void {
    this.#cancel_join()
    this.#joined_at_ms = this.parts.timers.nowMs()
    this.#set({ channel: 'joined', is_catching_up: true, reason: '' })
    void this.heal()
  }

  #onLost(reason: string): void {
    if (this.state.channel === 'away') return
    this.#away(reason)
    this.#cancel_join = this.parts.timers.after(LOST_MAX_MS, () => void this.#join())
  }

  #onRefused(reason: string): void {
    const lived_ms = this.parts.timers.nowMs() - this.#joined_at_ms
    if (this.state.channel === 'joined' && lived_ms > ACCEPTED_AFTER_MS) this.#refusals = 0
    this.#away(reason)
    const delay_ms = backoffMs(this.#refusals++, this.parts.random())
    this.#cancel_join()
    this.#cancel_join = this.parts.timers.after(delay_ms, () => void this.#join())
  }

  #away(reason: string): void {
    this.#set({ channel: 'away', is_catching_up: true, reason })
    // Soon, to learn whether only the doorbell is away or the table too.
    if (!this.#healing) this.#healAfter(FIRST_POLL_MS)
  }

  #onRing(payload: unknown): void {
    try {
      const ring = fieldsOf(payload, 'a broadcast')
      const { signals, malformed_count } = parseSignals(ring['signals'])
      this.#add(signals, malformed_count)
      const count = integerOf(ring, 'count')
      if (count <= signals.length) return
      this.#wanted_id = Math.min(this.#wanted_id, integerOf(ring, 'last_id') - count)
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      this.#set({ malformed_count: this.state.malformed_count + 1 })
    }
    void this.heal()
  }

  async #healUntilQuiet(): Promise<void> {
    do {
      this.#heal_again = false
      await this.#healOnce()
    } while (this.#heal_again && !this.#stopped && this.state.heal_failures === 0)
  }

  async #healOnce(): Promise<void> {
    const is_first = this.#healed_id === null
    const from_id = Math.min(this.#healed_id ?? 0, this.#wanted_id) - HEAL_OVERLAP_IDS
    // A full later answer fills the whole memory: a hole below it cannot stay unseen.
    const limit = is_first ? SNAPSHOT_ROWS : SIGNALS_MAX
    this.#wanted_id = Number.POSITIVE_INFINITY
    try {
      const after_id = is_first ? null : Math.max(0, from_id)
      const rows = await this.parts.table.selectNewest(after_id, limit)
      if (this.#stopped) return
      const { signals, malformed_count } = parseSignals(rows)
      this.#healed_id = Math.max(this.#healed_id ?? 0, signals[0]?.id ?? 0)
      this.#add(signals, malformed_count, {
        has_snapshot: true, heal_failures: 0, healed_at_ms: this.parts.timers.nowMs(),
        is_catching_up: this.#heal_again || this.state.channel !== 'joined',
      })
    } catch (error) {
      this.#wanted_id = Math.min(this.#wanted_id, Math.max(0, from_id) + HEAL_OVERLAP_IDS)
      if (this.#stopped) return
      this.#set({ heal_failures: this.state.heal_failures + 1, reason: reasonOf(error) })
    }
  }

  #nextHealMs(): number {
    const { heal_failures, channel } = this.state
    if (heal_failures > 0) return backoffMs(heal_failures - 1, this.parts.random())
    return channel === 'joined' ? HEAL_EVERY_MS : POLL_AWAY_MS
  }

  #healAfter(delay_ms: number): void {
    this.#cancel_heal()
    if (this.#stopped) return
    this.#cancel_heal = this.parts.timers.after(delay_ms, () => void this.heal())
  }

  #add(incoming: readonly Signal[], malformed_count: number, change: Partial<FeedState> = {}) {
    const known = new Set(this.signals.map((signal) => signal.id))
    this.signals = mergeSignals(this.signals, incoming)
    const malformed = { malformed_count: this.state.malformed_count + malformed_count }
    this.state = { ...this.state, ...malformed, ...change }
    this.#emit(incoming.filter((signal) => !known.has(signal.id)))
  }

  #set(change: Partial<FeedState>): void {
    this.state = { ...this.state, ...change }
    this.#emit([])
  }

  #emit(added: readonly Signal[]): void {
    this.parts.onChange(added)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
