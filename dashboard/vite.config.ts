// How the dashboard is built: one static folder, no inline script or style, a content security
// policy written into the page so that it holds on any static host.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { loadEnv, type Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { connectSources, hostedConfig, writeConfig } from './hosted_config'
import { version } from './package.json'

// Connections go to the Supabase and functions addresses. A build that does not know them allows
// any TLS host, and this machine.
const ANY_HOST = [
  "'self' https: wss:",
  'http://127.0.0.1:* ws://127.0.0.1:* http://localhost:* ws://localhost:*',
].join(' ')

// Script and style only from our own origin.
function policy(connect: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src ${connect}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

function contentSecurityPolicy(content: string): Plugin {
  return {
    name: 'closebell-content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content },
        injectTo: 'head-prepend',
      },
    ],
  }
}

export default defineConfig(({ mode }) => {
  // `npm run dev` serves the page itself and asks a running gateway for the configuration.
  const { GATEWAY_URL = 'http://127.0.0.1:8420' } = loadEnv(mode, '.', 'GATEWAY_')
  const hosted = hostedConfig(loadEnv(mode, '.', ['SUPABASE_', 'FUNCTIONS_']), version)
  const connect = hosted ? connectSources(hosted) : ANY_HOST
  return {
    base: './',
    plugins: [svelte(), contentSecurityPolicy(policy(connect)), writeConfig(hosted)],
    build: { target: 'es2023', outDir: 'dist', assetsInlineLimit: 0 },
    server: { proxy: { '/config.json': GATEWAY_URL } },
    test: { include: ['tests/**/*.test.ts'], environment: 'node' },
  }
})
