// What a build for a static host writes, and what it refuses.
import { describe, expect, test } from 'vitest'
import { connectSources, hostedConfig } from '../hosted_config'
import { parseConfig } from '../src/config'
import vercel from '../vercel.json'

const ENVIRONMENT = {
  SUPABASE_URL: 'https://abc.supabase.co/',
  SUPABASE_PUBLISHABLE_KEY: 'sb_publishable_abc',
  FUNCTIONS_URL: 'https://mine.fly.dev',
}

function tokenOf(role: string): string {
  return `e30.${btoa(JSON.stringify({ iss: 'supabase', role })).replace(/=+$/, '')}.x`
}

describe('hostedConfig', () => {
  test('is what the page reads', () => {
    const config = hostedConfig(ENVIRONMENT, '0.1.0')
    expect(parseConfig(JSON.parse(JSON.stringify(config)))).toEqual({
      supabase_url: 'https://abc.supabase.co',
      publishable_key: 'sb_publishable_abc',
      functions_url: 'https://mine.fly.dev',
      feed: 'live',
      version: '0.1.0',
      demo: null,
    })
  })

  test('is null where nothing is named: the host serves its own', () => {
    expect(hostedConfig({}, '0.1.0')).toBeNull()
    expect(hostedConfig({ SUPABASE_URL: '' }, '0.1.0')).toBeNull()
  })

  test('names what is missing', () => {
    expect(() => hostedConfig({ ...ENVIRONMENT, FUNCTIONS_URL: '' }, '0.1.0')).toThrow(
      'FUNCTIONS_URL not set',
    )
  })

  test('keeps a secret key out of the page', () => {
    for (const key of ['sb_secret_abc', tokenOf('service_role')]) {
      const environment = { ...ENVIRONMENT, SUPABASE_PUBLISHABLE_KEY: key }
      expect(() => hostedConfig(environment, '0.1.0')).toThrow('was a secret key')
    }
    const older = { ...ENVIRONMENT, SUPABASE_PUBLISHABLE_KEY: tokenOf('anon') }
    expect(hostedConfig(older, '0.1.0')?.publishable_key).toBe(tokenOf('anon'))
  })

  test('refuses what is no address', () => {
    const environment = { ...ENVIRONMENT, SUPABASE_URL: 'abc.supabase.co' }
    expect(() => hostedConfig(environment, '0.1.0')).toThrow('expected SUPABASE_URL to be an address')
  })
})

test('the page may connect to its two services and nowhere else', () => {
  const config = hostedConfig(ENVIRONMENT, '0.1.0')
  expect(config && connectSources(config)).toBe(
    "'self' https://abc.supabase.co wss://abc.supabase.co https://mine.fly.dev",
  )
})

describe('vercel.json', () => {
  const source = new RegExp(`^${vercel.rewrites[0]?.source}$`)

  test.each([
    ['/', true], ['/signals', true], ['/traders/7', true],
    ['/assets/index-abc.js', false], ['/assets/missing', false], ['/favicon.svg', false],
    ['/config.json', false],
  ])('%s shows the page: %s', (path, shown) => {
    expect(source.test(path)).toBe(shown)
  })
})
