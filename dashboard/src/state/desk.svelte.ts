// Wiring: everything one signed-in user has on screen, built by hand, once per user.
import type { SupabaseClient } from '@supabase/supabase-js'
import { getContext, setContext } from 'svelte'
import type { Config } from '../config'
import { Backend } from '../edge/backend'
import { RealtimeDoorbell } from '../edge/doorbell'
import { Functions } from '../edge/functions'
import { browserTimers } from '../edge/timers'
import { FreshnessList } from './freshness_list.svelte'
import { IncidentList } from './incident_list.svelte'
import type { Session, User } from './session.svelte'
import { SignalList } from './signal_list.svelte'
import { TraderList } from './trader_list.svelte'

export interface Desk {
  readonly user: User
  readonly config: Config
  readonly session: Session
  readonly backend: Backend
  readonly signals: SignalList
  readonly traders: TraderList
  readonly freshness: FreshnessList
  readonly incidents: IncidentList
}

export function buildDesk(
  config: Config, client: SupabaseClient, session: Session, user: User,
): Desk {
  const backend = new Backend(client)
  const functions = new Functions(config.functions_url, () => session.accessToken())
  const freshness = new FreshnessList(backend, config.feed)
  const signals = new SignalList({
    doorbell: new RealtimeDoorbell(client, user.id),
    table: backend,
    timers: browserTimers,
    onAdded: (added) => freshness.advance(added),
  })
  const traders = new TraderList(backend, functions, user.id)
  const incidents = new IncidentList(backend, user.id, browserTimers)
  return { user, config, session, backend, signals, traders, freshness, incidents }
}

/** Start what runs by itself; returns the stop. */
export function startDesk(desk: Desk): () => void {
  window.__closebell = desk.signals.aid
  void desk.traders.load(Date.now())
  const stops = [desk.signals.start(), desk.freshness.start(), desk.incidents.start()]
  return () => stops.forEach((stop) => stop())
}

const KEY = Symbol('desk')

export function provideDesk(desk: Desk): void {
  setContext(KEY, desk)
}

export function useDesk(): Desk {
  return getContext<Desk>(KEY)
}
