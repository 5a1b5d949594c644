// How the dashboard is built: one static folder, no inline script or style, a content security
// policy written into the page so that it holds on any static host.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { loadEnv, type Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// Script and style only from our own origin. Connections go to the configured Supabase and
// functions addresses, which are not known at build time: any TLS host, or this machine.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  [
    "connect-src 'self' https: wss:",
    'http://127.0.0.1:* ws://127.0.0.1:* http://localhost:* ws://localhost:*',
  ].join(' '),
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

function contentSecurityPolicy(): Plugin {
  return {
    name: 'closebell-content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
        injectTo: 'head-prepend',
      },
    ],
  }
}

export default defineConfig(({ mode }) => {
  // `npm run dev` serves the page itself and asks a running gateway for the configuration.
  const { GATEWAY_URL = 'http://127.0.0.1:8420' } = loadEnv(mode, '.', 'GATEWAY_')
  return {
    base: './',
    plugins: [svelte(), contentSecurityPolicy()],
    build: { target: 'es2023', outDir: 'dist', assetsInlineLimit: 0 },
    server: { proxy: { '/config.json': GATEWAY_URL } },
    test: { include: ['tests/**/*.test.ts'], environment: 'node' },
  }
})
