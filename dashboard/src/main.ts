// The entrance: configuration, client, session, screen.
import { mount } from 'svelte'
import App from './App.svelte'
import { loadConfig } from './config'
import { connect } from './edge/backend'
import { Session } from './state/session.svelte'
import './state/theme.svelte'
import './styles.css'
import Unreachable from './views/Unreachable.svelte'

const target = document.getElementById('app')
if (!target) throw new Error('expected an element #app in index.html')

try {
  const config = await loadConfig()
  const client = connect(config)
  mount(App, { target, props: { config, client, session: new Session(client) } })
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error)
  mount(Unreachable, { target, props: { reason } })
}
