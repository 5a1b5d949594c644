// Stand-ins for the feed's parts: a table in memory, a doorbell pressed by hand, a clock that
// moves only when told.
import type { Doorbell, DoorbellHandlers, SignalTable, Timers } from '../src/feed_state'

/** A row as REST sends it. */
export function row(id: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id, trader_id: 7, run_id: 3, rule_version: 1, venue: 'binance', instrument: 'BTCUSDT',
    interval: '1m', closed_at: '2026-11-21 03:12:00+00', trigger: 'enter', origin: 'live',
    feed: 'simulated', price: '101.20', values: { 'rsi(14)': 27.31 }, frame_revision: 1,
    data_age_ms: 400, created_at: '2026-11-21 03:12:00.481234+00', ...more,
  }
}

export function rowsOf(from: number, to: number): Record<string, unknown>[] {
  return Array.from({ length: to - from + 1 }, (_, index) => row(from + index))
}

export class FakeTable implements SignalTable {
  rows: Record<string, unknown>[] = []
  asked: { after_id: number | null; limit: number }[] = []
  failures = 0
  /** When set, selects wait for it. */
  gate: Promise<void> | null = null

  async selectNewest(after_id: number | null, limit: number): Promise<unknown> {
    this.asked.push({ after_id, limit })
    await this.gate
    if (this.failures > 0) {
      this.failures -= 1
      throw new Error('The server did not answer.')
    }
    return this.rows
      .filter((item) => after_id === null || (item['id'] as number) > after_id)
      .sort((a, b) => (b['id'] as number) - (a['id'] as number))
      .slice(0, limit)
  }
}

export class FakeDoorbell implements Doorbell {
  handlers: DoorbellHandlers[] = []
  left = 0
  join_failure: Error | null = null

  async join(handlers: DoorbellHandlers): Promise<void> {
    if (this.join_failure) throw this.join_failure
    this.handlers.push(handlers)
  }

  async leave(): Promise<void> {
    this.left += 1
  }

  get newest(): DoorbellHandlers {
    return this.handlers.at(-1)!
  }
}

export class FakeTimers implements Timers {
  now = 1_000_000
  #waiting: { at_ms: number; callback: () => void }[] = []

  nowMs(): number {
    return this.now
  }

  after(delay_ms: number, callback: () => void): () => void {
    const entry = { at_ms: this.now + delay_ms, callback }
    this.#waiting.push(entry)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== entry)
    }
  }

  get waiting_count(): number {
    return this.#waiting.length
  }

  /** Move on, call what is due in order, and let promises settle after each. */
  async advance(span_ms: number): Promise<void> {
    const until = this.now + span_ms
    for (;;) {
      this.#waiting.sort((a, b) => a.at_ms - b.at_ms)
      const next = this.#waiting[0]
      if (!next || next.at_ms > until) break
      this.#waiting.shift()
      this.now = next.at_ms
      next.callback()
      await settle()
    }
    this.now = until
    await settle()
  }
}

/** Let every promise that can be resolved be resolved. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}
