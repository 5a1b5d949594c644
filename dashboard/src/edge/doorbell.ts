// Realtime, seen as the feed's doorbell: one private channel `signals:{user_id}`.
// Not here: when to try again (feed.ts). The only user of supabase-js' Realtime client.
import type { RealtimeChannel, SupabaseClient } from '@supabase/supabase-js'
import type { Doorbell, DoorbellHandlers } from '../feed_state'

export class RealtimeDoorbell implements Doorbell {
  #channel: RealtimeChannel | null = null

  constructor(
    private readonly client: SupabaseClient,
    private readonly user_id: string,
  ) {}

  async join(handlers: DoorbellHandlers): Promise<void> {
    await this.#removeChannel()
    // Without this the channel joins before the token is known, and stays anonymous.
    await this.client.realtime.setAuth()
    const topic = `signals:${this.user_id}`
    const channel = this.client.channel(topic, { config: { private: true } })
    this.#channel = channel
    channel
      .on('broadcast', { event: 'signals' }, (message) => handlers.onRing(message['payload']))
      .subscribe((status, error) => {
        if (channel !== this.#channel) return
        const reason = error?.message ?? status
        if (status === 'SUBSCRIBED') handlers.onJoined()
        else if (status === 'CLOSED') handlers.onRefused(reason)
        else if (status === 'TIMED_OUT') handlers.onLost(reason)
        // An error on an open socket is a refusal (the token); on a closed one, the network.
        else if (this.client.realtime.isConnected()) handlers.onRefused(reason)
        else handlers.onLost(reason)
      })
  }

  async leave(): Promise<void> {
    this.#channel = null
    // Signing out leaves channels joined; this also closes the socket.
    await this.client.realtime.removeAllChannels()
  }

  async #removeChannel(): Promise<void> {
    const channel = this.#channel
    this.#channel = null
    if (channel) await this.client.realtime.removeChannel(channel)
  }
}
