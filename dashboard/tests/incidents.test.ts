import { describe, expect, test } from 'vitest'
import { groupIncidents, incidentTitle, splitIncidents } from '../src/pure/incidents'
import { parseIncident } from '../src/pure/parse'
import { Problem } from '../src/pure/problems'
import type { Incident } from '../src/pure/types'
import { IncidentList, POLL_EVERY_MS, type IncidentSource } from '../src/state/incident_list.svelte'
import { FakeTimers, settle } from './fakes'

const ROW = {
  id: '7', kind: 'feed_stale', subject: 'binance 1m', severity: 'error',
  message: 'The newest evaluated 1m close of binance is that of 03:12 UTC.',
  raised_at: '2026-11-21T03:15:00+00:00', last_seen_at: '2026-11-21T03:16:00+00:00',
  acknowledged_at: null, acknowledged_by: null, note: '',
}

class FakeSource implements IncidentSource {
  is_operator = true
  rows: Record<string, unknown>[] = [ROW]
  failures = 0
  asked: string[] = []
  refused_id = 0

  async selectIsOperator(): Promise<boolean> {
    this.asked.push('who')
    this.#fail()
    return this.is_operator
  }

  async listIncidents(): Promise<Incident[]> {
    this.asked.push('list')
    this.#fail()
    return this.rows.map(parseIncident)
  }

  async acknowledgeIncident(id: number, note: string): Promise<void> {
    this.asked.push(`ack ${id} ${note}`)
    if (id === this.refused_id) throw new Problem('expected incident 8 to be open')
    this.rows = this.rows.map((row) => Number(row['id']) === id
      ? { ...row, acknowledged_at: '2026-11-21 03:17:00+00', acknowledged_by: 'Olga', note }
      : row)
  }

  #fail(): void {
    if (this.failures === 0) return
    this.failures -= 1
    throw new TypeError('Failed to fetch')
  }
}

async function build(source = new FakeSource()) {
  const timers = new FakeTimers()
  const list = new IncidentList(source, 'a-user', timers)
  const stop = list.start()
  await settle()
  return { source, timers, list, stop }
}

describe('parseIncident', () => {
  test('keeps what is shown', () =>
    expect(parseIncident(ROW)).toEqual({
      id: 7, kind: 'feed_stale', subject: 'binance 1m', severity: 'error', message: ROW.message,
      raised_at_ms: Date.UTC(2026, 10, 21, 3, 15), acknowledged_at_ms: null,
      acknowledged_by: null, note: '',
    }))

  test('an unknown severity is refused, not guessed', () =>
    expect(() => parseIncident({ ...ROW, severity: 'grave' })).toThrow('severity'))
})

test('a title is in plain words, also of a kind that came later', () => {
  expect(incidentTitle('feed_stale')).toBe('Market data is late')
  expect(incidentTitle('disk_full')).toBe('disk full')
})

test('splitIncidents keeps the order in both halves', () => {
  const incidents = [3, 2, 1].map((id) => parseIncident({
    ...ROW, id, ...(id === 2 && { acknowledged_at: ROW.raised_at, acknowledged_by: 'Olga' }),
  }))
  const { waiting, in_hand } = splitIncidents(incidents)
  expect([waiting.map(({ id }) => id), in_hand.map(({ id }) => id)]).toEqual([[3, 1], [2]])
})

test('groupIncidents: one group a kind, the worst severity, the oldest first', () => {
  const of = (id: number, kind: string, severity: string) =>
    parseIncident({ ...ROW, id, kind, severity })
  const groups = groupIncidents([
    of(4, 'slot_missing', 'error'), of(3, 'feed_stale', 'error'), of(1, 'slot_missing', 'warn'),
    of(2, 'outbox_growing', 'warn'),
  ])
  expect(groups.map(({ kind, severity }) => [kind, severity])).toEqual([
    ['slot_missing', 'error'], ['feed_stale', 'error'], ['outbox_growing', 'warn'],
  ])
  expect(groups[0]!.incidents.map(({ id }) => id)).toEqual([1, 4])
})

describe('IncidentList', () => {
  test('an operator sees what is open, and each half minute what has changed', async () => {
    const { source, timers, list } = await build()
    expect(list.incidents.map(({ id }) => id)).toEqual([7])
    source.rows = []
    await timers.advance(POLL_EVERY_MS)
    expect(list.incidents).toEqual([])
    expect(source.asked).toEqual(['who', 'list', 'list'])
  })

  test('nobody else is asked about them, ever', async () => {
    const source = new FakeSource()
    source.is_operator = false
    const { timers, list } = await build(source)
    await timers.advance(10 * POLL_EVERY_MS)
    expect([list.incidents.length, source.asked]).toEqual([0, ['who']])
  })

  test('no answer: what was known stays, the problem is told, and it goes on', async () => {
    const { source, timers, list } = await build()
    source.failures = 1
    await timers.advance(POLL_EVERY_MS)
    expect([list.incidents.length, list.problem?.message])
      .toEqual([1, 'The server did not answer.'])
    await timers.advance(POLL_EVERY_MS)
    expect(list.problem).toBeNull()
  })

  test('who one is, is asked again until there is an answer', async () => {
    const source = new FakeSource()
    source.failures = 1
    const { timers, list } = await build(source)
    expect(list.is_operator).toBeNull()
    await timers.advance(POLL_EVERY_MS)
    expect([list.is_operator, list.incidents.length]).toEqual([true, 1])
  })

  test('acknowledged: the same incident, in hand', async () => {
    const { source, list } = await build()
    await list.acknowledge([7], 'on it')
    expect(list.split.waiting).toEqual([])
    expect(list.split.in_hand[0]).toMatchObject({ id: 7, acknowledged_by: 'Olga', note: 'on it' })
    expect(source.asked.slice(2)).toEqual(['ack 7 on it', 'list'])
  })

  test('a refusal is told, and the list is as it really is', async () => {
    const { source, list } = await build()
    source.rows = [ROW, { ...ROW, id: 8 }]
    source.refused_id = 8
    await expect(list.acknowledge([7, 8], '')).rejects.toThrow('to be open')
    expect(list.split.in_hand.map(({ id }) => id)).toEqual([7])
    expect(list.split.waiting.map(({ id }) => id)).toEqual([8])
  })

  test('polls that run side by side leave one timer; stop leaves none', async () => {
    const { timers, list, stop } = await build()
    await Promise.all([list.poll(), list.poll(), list.poll()])
    expect(timers.waiting_count).toBe(1)
    const polling = list.poll()
    stop()
    await polling
    expect(timers.waiting_count).toBe(0)
  })
})
