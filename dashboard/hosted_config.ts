// config.json for a static host: written into the build where the addresses are known.
//
// `npm run build` with SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY and FUNCTIONS_URL in the environment
// writes dist/config.json and narrows the page's policy to these addresses. Without them the build
// is for a host that serves config.json itself, as the local gateway does.
import type { Plugin } from 'vite'

export interface HostedConfig {
  readonly supabase_url: string
  readonly publishable_key: string
  readonly functions_url: string
  readonly feed: 'live'
  readonly version: string
  readonly demo: null
}

const NAMES = ['SUPABASE_URL', 'SUPABASE_PUBLISHABLE_KEY', 'FUNCTIONS_URL'] as const

type Environment = Readonly<Record<string, string | undefined>>

/** Return the configuration that the environment names, or null if it names none of it.
 *
 * Throws if only a part is named, or the key is one that must not be public. */
export function hostedConfig(environment: Environment, version: string): HostedConfig | null {
  const missing = NAMES.filter((name) => !environment[name])
  if (missing.length === NAMES.length) return null
  if (missing.length > 0) {
    throw new Error(`expected ${NAMES.join(', ')} together, ${missing.join(' and ')} not set`)
  }
  const key = environment['SUPABASE_PUBLISHABLE_KEY'] ?? ''
  if (isSecret(key)) {
    throw new Error('expected SUPABASE_PUBLISHABLE_KEY to be public, was a secret key')
  }
  return {
    supabase_url: addressOf(environment, 'SUPABASE_URL'),
    publishable_key: key,
    functions_url: addressOf(environment, 'FUNCTIONS_URL'),
    feed: 'live',
    version,
    demo: null,
  }
}

/** Return where the page of a configuration may connect: its own origin and the two services. */
export function connectSources(config: HostedConfig): string {
  const supabase = new URL(config.supabase_url).origin
  const functions = new URL(config.functions_url).origin
  return ["'self'", supabase, supabase.replace(/^http/, 'ws'), functions].join(' ')
}

export function writeConfig(config: HostedConfig | null): Plugin {
  return {
    name: 'closebell-hosted-config',
    apply: 'build',
    generateBundle() {
      if (!config) return
      const source = `${JSON.stringify(config)}\n`
      this.emitFile({ type: 'asset', fileName: 'config.json', source })
    },
  }
}

function addressOf(environment: Environment, name: string): string {
  const text = (environment[name] ?? '').replace(/\/+$/, '')
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new Error(`expected ${name} to be an address such as https://…, was ${text}`)
  }
  return text
}

/** A key of the service role: by its prefix, or by the claims of an older project's token. */
function isSecret(key: string): boolean {
  if (key.startsWith('sb_secret_')) return true
  const claims = key.split('.')[1]
  return claims !== undefined && /"role"\s*:\s*"service_role"/.test(decode(claims))
}

function decode(base64url: string): string {
  try {
    return atob(base64url.replace(/-/g, '+').replace(/_/g, '/'))
  } catch {
    return ''
  }
}
