// The words of the wire, once: rows of the public schema and replies of the functions.
// Field names are the columns' own; instants became integers (`*_ms`, UTC epoch).
// No logic here. Parsed by parse.ts, used everywhere.

/** Where market data came from. Anything but 'live' is shown wherever the data shows. */
export type Feed = 'live' | 'simulated' | 'replay'
/** 'live': evaluated in its slot; 'late': the frame came late; 'backfill': the slot did. */
export type Origin = 'live' | 'late' | 'backfill'
/** 'enter': became true; 'exit': ceased to be true; 'while': true at every close. */
export type Trigger = 'enter' | 'exit' | 'while'

export interface Signal {
  readonly id: number
  readonly trader_id: number
  readonly run_id: number | null
  readonly rule_version: number
  readonly venue: string
  readonly instrument: string
  readonly interval: string
  readonly closed_at_ms: number
  readonly trigger: Trigger
  readonly origin: Origin
  readonly feed: Feed
  /** Decimal text, never a float: quote per base. */
  readonly price: string
  /** Canonical text of each compared expression → its value at the close. */
  readonly values: Readonly<Record<string, number>>
  readonly frame_revision: number
  readonly data_age_ms: number | null
  readonly created_at_ms: number
}

export interface Trader {
  readonly id: number
  readonly name: string
  readonly description: string
  readonly rule: string
  readonly venue: string
  /** null: the whole universe of the venue. */
  readonly universe: readonly string[] | null
  readonly interval: string
  readonly trigger: Trigger
  readonly cooldown_s: number
  /** close, 'every N closes', or a cron expression in UTC. */
  readonly cadence: string
  readonly enabled: boolean
  readonly disabled_reason: string | null
  /** Failures in a row. */
  readonly error_count: number
  readonly last_error: string | null
  readonly version: number
  readonly updated_at_ms: number | null
}

/** The newest finished slot of one (venue, interval). */
export interface FeedRow {
  readonly venue: string
  readonly interval: string
  readonly feed: Feed
  readonly closed_at_ms: number
  readonly complete: boolean
  readonly missing_count: number
  /** Whether some trader is due at each close of the interval. */
  readonly is_each_close: boolean
  /** Whether an operator holds evaluation back: closes come late. */
  readonly is_paused: boolean
}

export interface PreviewMatch {
  readonly instrument: string
  readonly values: Readonly<Record<string, number>>
}

/** What a rule says at the last close, before it is stored. */
export interface Preview {
  readonly closed_at_ms: number | null
  /** Instruments on which the rule is true now. */
  readonly matched_count: number
  /** On how many of all the trigger would have made a signal at this close; null: not told. */
  readonly triggered_count: number | null
  readonly known_count: number
  readonly unknown_count: number
  readonly matches: readonly PreviewMatch[]
  readonly unknown_reason: string | null
}

/** An open incident, as an operator sees it. `message` is in plain words. */
export interface Incident {
  readonly id: number
  readonly kind: string
  readonly subject: string
  readonly severity: 'warn' | 'error'
  readonly message: string
  readonly raised_at_ms: number
  readonly acknowledged_at_ms: number | null
  readonly acknowledged_by: string | null
  /** What people wrote about it, a line each. */
  readonly note: string
}

export interface Tier {
  readonly id: string
  /** null: no limit. */
  readonly traders_max: number | null
  readonly signals_per_close_max: number | null
  readonly requests_per_minute: number | null
}
