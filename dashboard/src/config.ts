// The one thing the page asks of its own origin: where everything else is.
import { fieldsOf, textOf } from './pure/parse'
import type { Feed } from './pure/types'

export interface Config {
  readonly supabase_url: string
  readonly publishable_key: string
  readonly functions_url: string
  /** Which market the collector reads, if the host says so; rows of `feed_status` overrule it. */
  readonly feed: Feed | null
  readonly version: string
  readonly demo: { readonly email: string; readonly password: string } | null
}

const CONFIG_TIMEOUT_MS = 10_000

/** Fetch and check /config.json. Raises Malformed or the network's own error. */
export async function loadConfig(): Promise<Config> {
  const response = await fetch('./config.json', {
    cache: 'no-store', signal: AbortSignal.timeout(CONFIG_TIMEOUT_MS),
  })
  if (!response.ok) throw new Error(`expected config.json, was HTTP ${response.status}`)
  return parseConfig(await response.json())
}

export function parseConfig(value: unknown): Config {
  const fields = fieldsOf(value, 'config.json')
  const demo = fields['demo'] ? fieldsOf(fields['demo'], 'demo') : null
  const feed = fields['feed']
  return {
    supabase_url: textOf(fields, 'supabase_url'),
    publishable_key: textOf(fields, 'publishable_key'),
    functions_url: textOf(fields, 'functions_url').replace(/\/+$/, ''),
    feed: feed === 'live' || feed === 'simulated' || feed === 'replay' ? feed : null,
    version: typeof fields['version'] === 'string' ? fields['version'] : '',
    demo: demo && { email: textOf(demo, 'email'), password: textOf(demo, 'password') },
  }
}
