// From unknown JSON to the types of types.ts. Refuses what has another shape, never guesses.
// Not here: fetching. Called by backend.ts, functions.ts and feed.ts.
import type {
  Feed, FeedRow, Incident, Origin, Preview, PreviewMatch, Signal, Tier, Trader, Trigger,
} from './types'

/** A row or reply that does not have its documented shape. */
export class Malformed extends Error {}

type Fields = Record<string, unknown>

const FEEDS: readonly Feed[] = ['live', 'simulated', 'replay']
const SEVERITIES: readonly Incident['severity'][] = ['warn', 'error']
const ORIGINS: readonly Origin[] = ['live', 'late', 'backfill']
const TRIGGERS: readonly Trigger[] = ['enter', 'exit', 'while']

export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new Malformed(`expected ${what} to be an object, was ${describe(value)}`)
}

/** Milliseconds since the epoch of a Postgres or RFC 3339 instant; without an offset it is UTC. */
export function parseInstantMs(value: unknown, name: string): number {
  if (typeof value === 'string') {
    const match = INSTANT.exec(value.trim())
    if (match) {
      const [, date, time, fraction = '', sign, hours, minutes = '00'] = match
      const millis = fraction.slice(0, 3).padEnd(3, '0')
      const offset = sign ? `${sign}${hours}:${minutes}` : 'Z'
      const at = Date.parse(`${date}T${time}.${millis}${offset}`)
      if (Number.isFinite(at)) return at
    }
  }
  throw new Malformed(`expected ${name} to be an instant, was ${describe(value)}`)
}

// Postgres prints '2026-11-21 03:12:00.5+00', RFC 3339 has a T, and either may carry microseconds.
const INSTANT =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):?(\d\d)?)?$/

export function parseSignal(value: unknown): Signal {
  const row = fieldsOf(value, 'a signal')
  return {
    id: integerOf(row, 'id'),
    trader_id: integerOf(row, 'trader_id'),
    run_id: optional(row, 'run_id', integerOf),
    rule_version: integerOf(row, 'rule_version'),
    venue: textOf(row, 'venue'),
    instrument: textOf(row, 'instrument'),
    interval: textOf(row, 'interval'),
    closed_at_ms: parseInstantMs(row['closed_at'], 'closed_at'),
    trigger: oneOf(row, 'trigger', TRIGGERS),
    origin: oneOf(row, 'origin', ORIGINS),
    feed: oneOf(row, 'feed', FEEDS),
    price: decimalOf(row, 'price'),
    values: numbersOf(row['values']),
    frame_revision: optional(row, 'frame_revision', integerOf) ?? 1,
    data_age_ms: optional(row, 'data_age_ms', integerOf),
    created_at_ms: parseInstantMs(row['created_at'], 'created_at'),
  }
}

/** Parse what can be parsed; the rest is counted, so that one bad row hides no good one. */
export function parseSignals(rows: unknown): { signals: Signal[]; malformed_count: number } {
  if (!Array.isArray(rows)) throw new Malformed(`expected rows, was ${describe(rows)}`)
  const signals: Signal[] = []
  let malformed_count = 0
  for (const row of rows) {
    try {
      signals.push(parseSignal(row))
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      malformed_count += 1
    }
  }
  return { signals, malformed_count }
}

export function parseTrader(value: unknown): Trader {
  const row = fieldsOf(value, 'a trader')
  return {
    id: integerOf(row, 'id'),
    name: textOf(row, 'name'),
    description: optional(row, 'description', textOf) ?? '',
    rule: textOf(row, 'rule'),
    venue: textOf(row, 'venue'),
    universe: textsOf(row['universe']),
    interval: textOf(row, 'interval'),
    trigger: oneOf(row, 'trigger', TRIGGERS),
    cooldown_s: integerOf(row, 'cooldown_s'),
    cadence: optional(row, 'cadence', textOf) ?? 'close',
    enabled: row['enabled'] === true,
    disabled_reason: optional(row, 'disabled_reason', textOf),
    error_count: optional(row, 'error_count', integerOf) ?? 0,
    last_error: optional(row, 'last_error', textOf),
    version: integerOf(row, 'version'),
    updated_at_ms: row['updated_at'] ? parseInstantMs(row['updated_at'], 'updated_at') : null,
  }
}

export function parseFeedRow(value: unknown): FeedRow {
  const row = fieldsOf(value, 'a feed status')
  return {
    venue: textOf(row, 'venue'),
    interval: textOf(row, 'interval'),
    feed: oneOf(row, 'feed', FEEDS),
    closed_at_ms: parseInstantMs(row['closed_at'], 'closed_at'),
    complete: row['complete'] !== false,
    missing_count: optional(row, 'missing_count', integerOf) ?? 0,
    is_each_close: row['is_each_close'] !== false,
    is_paused: row['is_paused'] === true,
  }
}

export function parsePreview(value: unknown): Preview {
  const row = fieldsOf(value, 'a preview')
  const matches = Array.isArray(row['matches']) ? row['matches'] : []
  return {
    closed_at_ms: optional(row, 'closed_at_ms', integerOf),
    matched_count: integerOf(row, 'matched_count'),
    triggered_count: optional(row, 'triggered_count', integerOf),
    known_count: integerOf(row, 'known_count'),
    unknown_count: integerOf(row, 'unknown_count'),
    matches: matches.map((match): PreviewMatch => {
      const fields = fieldsOf(match, 'a match')
      return { instrument: textOf(fields, 'instrument'), values: numbersOf(fields['values']) }
    }),
    unknown_reason: optional(row, 'unknown_reason', textOf),
  }
}

export function parseIncident(value: unknown): Incident {
  const row = fieldsOf(value, 'an incident')
  const instant = (fields: Fields, name: string) => parseInstantMs(fields[name], name)
  return {
    id: integerOf(row, 'id'),
    kind: textOf(row, 'kind'),
    subject: textOf(row, 'subject'),
    severity: oneOf(row, 'severity', SEVERITIES),
    message: textOf(row, 'message'),
    raised_at_ms: instant(row, 'raised_at'),
    acknowledged_at_ms: optional(row, 'acknowledged_at', instant),
    acknowledged_by: optional(row, 'acknowledged_by', textOf),
    note: optional(row, 'note', textOf) ?? '',
  }
}

export function parseTier(value: unknown): Tier {
  const row = fieldsOf(value, 'a tier')
  return {
    id: textOf(row, 'id'),
    traders_max: optional(row, 'traders_max', integerOf),
    signals_per_close_max: optional(row, 'signals_per_close_max', integerOf),
    requests_per_minute: optional(row, 'requests_per_minute', integerOf),
  }
}

export function textOf(row: Fields, name: string): string {
  const value = row[name]
  if (typeof value === 'string') return value
  throw new Malformed(`expected ${name} to be text, was ${describe(value)}`)
}

/** A whole number, also when a bigint arrives as text. */
export function integerOf(row: Fields, name: string): number {
  const value = row[name]
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number
  throw new Malformed(`expected ${name} to be a whole number, was ${describe(value)}`)
}

function decimalOf(row: Fields, name: string): string {
  const value = row[name]
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  if (typeof value === 'string' && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return value
  throw new Malformed(`expected ${name} to be a decimal, was ${describe(value)}`)
}

function oneOf<T extends string>(row: Fields, name: string, allowed: readonly T[]): T {
  const value = row[name]
  const found = allowed.find((item) => item === value)
  if (found !== undefined) return found
  throw new Malformed(`expected ${name} to be one of ${allowed.join(', ')}, was ${describe(value)}`)
}

function optional<T>(row: Fields, name: string, read: (row: Fields, name: string) => T): T | null {
  return row[name] === null || row[name] === undefined ? null : read(row, name)
}

/** Keep the finite numbers of a jsonb object (which some servers send as text). */
function numbersOf(value: unknown): Record<string, number> {
  const object: unknown = typeof value === 'string' ? parseJson(value) : (value ?? {})
  const entries = Object.entries(fieldsOf(object, 'values'))
  return Object.fromEntries(
    entries.filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Malformed('expected values to be JSON', { cause: error })
  }
}

/** A text[]: an array, its Postgres spelling '{a,b}', or null. Symbols need no quoting rules. */
function textsOf(value: unknown): readonly string[] | null {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return value.map(String)
  if (typeof value === 'string' && /^\{.*\}$/.test(value)) {
    const inner = value.slice(1, -1)
    return inner ? inner.split(',').map((item) => item.replace(/^"|"$/g, '')) : []
  }
  throw new Malformed(`expected universe to be a list, was ${describe(value)}`)
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
