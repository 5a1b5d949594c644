// The public schema over REST: every select and the two writes a user may make directly.
// Not here: Realtime (doorbell.ts), functions (functions.ts), what to do with an error.
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type { Config } from '../config'
import type { SignalTable } from '../feed_state'
import {
  fieldsOf, integerOf, parseFeedRow, parseIncident, parseSignals, parseTier, parseTrader, textOf,
} from '../pure/parse'
import { Problem, restProblem } from '../pure/problems'
import type { SignalFilter } from '../pure/signals'
import type { FeedRow, Incident, Signal, Tier, Trader } from '../pure/types'

const REQUEST_TIMEOUT_MS = 10_000
// A frozen server is noticed after two heartbeats: 20 s instead of the default 50.
const HEARTBEAT_INTERVAL_MS = 10_000
const TRADERS_MAX = 1_000
const OVERFLOWS_MAX = 1_000
const OVERFLOW_SPAN_MS = 24 * 3_600_000

const SIGNAL_COLUMNS = [
  'id', 'trader_id', 'run_id', 'rule_version', 'venue', 'instrument', 'interval', 'closed_at',
  'trigger', 'origin', 'feed', 'price', 'values', 'frame_revision', 'data_age_ms', 'created_at',
].join(',')
const TRADER_COLUMNS = [
  'id', 'name', 'description', 'rule', 'venue', 'universe', 'interval', 'trigger', 'cooldown_s',
  'cadence', 'enabled', 'disabled_reason', 'error_count', 'last_error', 'version', 'updated_at',
].join(',')

export function connect(config: Config): SupabaseClient {
  return createClient(config.supabase_url, config.publishable_key, {
    realtime: { heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS },
    global: { fetch: fetchWithTimeout },
  })
}

function fetchWithTimeout(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout
  return fetch(input, { ...init, signal })
}

export class Backend implements SignalTable {
  constructor(private readonly client: SupabaseClient) {}

  async selectNewest(after_id: number | null, limit: number): Promise<unknown> {
    let query = this.client.from('signals').select(SIGNAL_COLUMNS)
    if (after_id !== null) query = query.gt('id', after_id)
    return rows(await query.order('id', { ascending: false }).limit(limit))
  }

  /** One page by keyset: the newest signals with an id below `before_id` that match the filter. */
  async selectOlder(
    before_id: number, filter: SignalFilter, limit: number,
  ): Promise<readonly Signal[]> {
    let query = this.client.from('signals').select(SIGNAL_COLUMNS).lt('id', before_id)
    if (filter.trader_id !== null) query = query.eq('trader_id', filter.trader_id)
    if (filter.origin !== null) query = query.eq('origin', filter.origin)
    // Symbols are letters and digits; anything else would be read as a pattern.
    const instrument = filter.instrument.replace(/[^\p{L}\p{N}:._-]/gu, '').replace(/_/g, '\\_')
    if (instrument) query = query.ilike('instrument', `%${instrument}%`)
    const found = rows(await query.order('id', { ascending: false }).limit(limit))
    return parseSignals(found).signals
  }

  async selectTraders(): Promise<Trader[]> {
    const query = this.client.from('traders').select(TRADER_COLUMNS)
    return rows(await query.order('id').limit(TRADERS_MAX)).map(parseTrader)
  }

  /** trader_id → matches over the tier's cap in the last 24 h (stored as a count only). */
  async selectOverflows(now_ms: number): Promise<Map<number, number>> {
    const since = new Date(now_ms - OVERFLOW_SPAN_MS).toISOString()
    const query = this.client.from('signal_overflows').select('trader_id,rest_count')
    const found = rows(await query.gte('closed_at', since).limit(OVERFLOWS_MAX))
    const counts = new Map<number, number>()
    for (const row of found) {
      const fields = fieldsOf(row, 'an overflow')
      const trader_id = integerOf(fields, 'trader_id')
      const sum = (counts.get(trader_id) ?? 0) + integerOf(fields, 'rest_count')
      counts.set(trader_id, sum)
    }
    return counts
  }

  /** The rule as it was when a signal was made; null when that version is gone. */
  async selectRule(trader_id: number, version: number): Promise<string | null> {
    const query = this.client.from('trader_versions').select('rule')
    const found = rows(await query.eq('trader_id', trader_id).eq('version', version).limit(1))
    return found.length > 0 ? textOf(fieldsOf(found[0], 'a version'), 'rule') : null
  }

  async selectFeedStatus(): Promise<FeedRow[]> {
    const query = this.client.from('feed_status')
      .select('venue,interval,feed,closed_at,complete,missing_count,is_each_close,is_paused')
    return rows(await query.limit(100)).map(parseFeedRow)
  }

  async selectTier(user_id: string): Promise<Tier | null> {
    const profiles = await this.client.from('profiles').select('tier_id').eq('user_id', user_id)
    const [profile] = rows(profiles)
    if (!profile) return null
    const tier_id = textOf(fieldsOf(profile, 'a profile'), 'tier_id')
    const [tier] = rows(await this.client.from('tiers').select('*').eq('id', tier_id).limit(1))
    return tier ? parseTier(tier) : null
  }

  async selectIsOperator(user_id: string): Promise<boolean> {
    const profiles = await this.client.from('profiles').select('is_admin').eq('user_id', user_id)
    const [profile] = rows(profiles)
    return profile !== undefined && fieldsOf(profile, 'a profile')['is_admin'] === true
  }

  /** What is open now, errors first; nothing for anybody but an operator. */
  async listIncidents(): Promise<Incident[]> {
    return rows(await this.client.rpc('list_incidents')).map(parseIncident)
  }

  async acknowledgeIncident(id: number, note: string): Promise<void> {
    const { error } = await this.client.rpc('acknowledge_incident', { id, note })
    if (error) throw restProblem(error)
  }

  async updateEnabled(trader_id: number, enabled: boolean): Promise<Trader> {
    const query = this.client.from('traders').update({ enabled }).eq('id', trader_id)
    const [changed] = rows(await query.select(TRADER_COLUMNS))
    if (!changed) throw untouched('changed')
    return parseTrader(changed)
  }

  async deleteTrader(trader_id: number): Promise<void> {
    const query = this.client.from('traders').delete().eq('id', trader_id)
    if (rows(await query.select('id')).length !== 1) throw untouched('deleted')
  }
}

// Row level security answers a forbidden write with success and no row: that is not success.
function untouched(verb: string): Problem {
  return new Problem(`Nothing was ${verb}: this trader is gone, or is not yours.`, {
    code: 'NothingTouched', hint: 'Reload the list.',
  })
}

function rows(result: { data: unknown; error: unknown }): unknown[] {
  if (result.error) throw restProblem(result.error)
  return Array.isArray(result.data) ? result.data : []
}
