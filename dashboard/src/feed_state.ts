// What the feed needs (its parts are passed in) and what it knows about its own trustworthiness.
// Pure. The machine itself is feed.ts.
import type { Signal } from './pure/types'

export interface DoorbellHandlers {
  onJoined(): void
  onRing(payload: unknown): void
  /** The socket is gone and the client is reconnecting by itself. */
  onLost(reason: string): void
  /** Closed or refused: it does not come back without a fresh token and a new channel. */
  onRefused(reason: string): void
}

export interface Doorbell {
  /** Leave the channel there may be, take a fresh token, open a new one. */
  join(handlers: DoorbellHandlers): Promise<void>
  leave(): Promise<void>
}

export interface SignalTable {
  /** Newest first; `after_id` null: simply the newest. Rows are unparsed. */
  selectNewest(after_id: number | null, limit: number): Promise<unknown>
}

export interface Timers {
  nowMs(): number
  /** Call once after a delay; returns the cancel. */
  after(delay_ms: number, callback: () => void): () => void
}

export interface FeedParts {
  readonly doorbell: Doorbell
  readonly table: SignalTable
  readonly timers: Timers
  readonly random: () => number
  /** `added` are new to this page; called with none when only the state changed. */
  readonly onChange: (added: readonly Signal[]) => void
}

export type ChannelState = 'joining' | 'joined' | 'away'
export type ConnectionState = 'live' | 'catching up' | 'stale' | 'offline'

export interface FeedState {
  readonly channel: ChannelState
  readonly has_snapshot: boolean
  readonly is_catching_up: boolean
  readonly heal_failures: number
  readonly healed_at_ms: number | null
  readonly malformed_count: number
  readonly reason: string
}

/** What the connection chip says. 'stale' still receives rows, but later than it should. */
export function connectionState(state: FeedState, is_online: boolean): ConnectionState {
  if (!is_online) return 'offline'
  if (state.channel === 'joined') {
    if (state.heal_failures > 0) return 'stale'
    return state.is_catching_up ? 'catching up' : 'live'
  }
  if (state.heal_failures > 0) return 'offline'
  return state.channel === 'away' ? 'stale' : 'catching up'
}
