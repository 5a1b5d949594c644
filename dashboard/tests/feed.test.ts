import { describe, expect, test } from 'vitest'
import { SignalFeed } from '../src/feed'
import { connectionState } from '../src/feed_state'
import type { Signal } from '../src/pure/types'
import { FakeDoorbell, FakeTable, FakeTimers, row, rowsOf, settle } from './fakes'

function build() {
  const doorbell = new FakeDoorbell()
  const table = new FakeTable()
  const timers = new FakeTimers()
  const added: number[] = []
  const onChange = (signals: readonly Signal[]) => added.push(...signals.map(({ id }) => id))
  const feed = new SignalFeed({ doorbell, table, timers, random: () => 0.5, onChange })
  const ids = () => feed.signals.map(({ id }) => id)
  const says = () => connectionState(feed.state, true)
  return { doorbell, table, timers, feed, added, ids, says }
}

async function joined(rows: Record<string, unknown>[] = []) {
  const parts = build()
  parts.table.rows = rows
  parts.feed.start()
  await settle()
  parts.doorbell.newest.onJoined()
  await settle()
  return parts
}

const ringOf = (rows: unknown[], count: number, last_id: number) =>
  ({ run_id: 3, count, last_id, signals: rows })

describe('snapshot', () => {
  test('is taken after the channel is joined, newest 200', async () => {
    const { feed, table, doorbell, ids, says } = build()
    table.rows = rowsOf(1, 300)
    feed.start()
    await settle()
    expect(table.asked).toEqual([])
    expect(says()).toBe('catching up')
    doorbell.newest.onJoined()
    await settle()
    expect(table.asked).toEqual([{ after_id: null, limit: 200 }])
    expect([ids()[0], ids().at(-1), ids().length]).toEqual([300, 101, 200])
    expect(says()).toBe('live')
  })

  test('does not wait for a channel that never joins', async () => {
    const { feed, table, timers, ids, says } = build()
    table.rows = rowsOf(1, 3)
    feed.start()
    await timers.advance(2_000)
    expect(ids()).toEqual([3, 2, 1])
    expect(says()).toBe('catching up')
  })

  test('keeps what rang while it was read', async () => {
    const { feed, table, doorbell, ids } = build()
    table.rows = rowsOf(1, 2)
    let open = () => {}
    table.gate = new Promise((resolve) => (open = resolve))
    feed.start()
    await settle()
    doorbell.newest.onJoined()
    doorbell.newest.onRing(ringOf([row(3)], 1, 3))
    open()
    await settle()
    expect(ids()).toEqual([3, 2, 1])
  })
})

describe('broadcast', () => {
  test('rows are applied at once, each id once, without a select', async () => {
    const { doorbell, ids, table, added } = await joined(rowsOf(1, 2))
    const selects = table.asked.length
    doorbell.newest.onRing(ringOf([row(4), row(3)], 2, 4))
    doorbell.newest.onRing(ringOf([row(4)], 1, 4))
    expect(ids()).toEqual([4, 3, 2, 1])
    expect(added).toEqual([2, 1, 4, 3])
    expect(table.asked.length).toBe(selects)
  })

  test('that carries less than it counts is completed from the table', async () => {
    const { doorbell, ids, table } = await joined(rowsOf(1, 2))
    table.rows = rowsOf(1, 80)
    doorbell.newest.onRing(ringOf(rowsOf(31, 80).reverse(), 78, 80))
    await settle()
    expect(ids().length).toBe(80)
  })

  test('with a row of another shape: the good rows show, the bad one is counted', async () => {
    const { doorbell, ids, feed } = await joined()
    doorbell.newest.onRing(ringOf([row(2), { id: 'x' }], 2, 2))
    await settle()
    expect(ids()).toEqual([2])
    expect(feed.state.malformed_count).toBe(1)
  })

  test('that is no broadcast at all makes the page ask the table', async () => {
    const { doorbell, ids, table } = await joined()
    table.rows = rowsOf(1, 1)
    doorbell.newest.onRing('nonsense')
    await settle()
    expect(ids()).toEqual([1])
  })
})

describe('heal', () => {
  test('each minute finds a row whose broadcast was lost, also below the newest id', async () => {
    const { doorbell, table, timers, ids } = await joined(rowsOf(1, 300))
    doorbell.newest.onRing(ringOf([row(305)], 1, 305))
    table.rows = [...rowsOf(1, 300), row(303), row(305)]
    await timers.advance(60_000)
    expect(table.asked.at(-1)).toEqual({ after_id: 100, limit: 1_000 })
    expect(ids().slice(0, 3)).toEqual([305, 303, 300])
  })

  test('on every subscription, also one the library made by itself', async () => {
    const { doorbell, table, ids, says } = await joined(rowsOf(1, 2))
    doorbell.newest.onLost('socket')
    expect(says()).toBe('stale')
    table.rows = rowsOf(1, 5)
    doorbell.newest.onJoined()
    expect(says()).toBe('catching up')
    await settle()
    expect(ids()).toEqual([5, 4, 3, 2, 1])
    expect(says()).toBe('live')
  })

  test('calls during one share one more', async () => {
    const { feed, table } = await joined(rowsOf(1, 2))
    const before = table.asked.length
    await Promise.all([feed.heal(), feed.heal(), feed.heal(), feed.heal()])
    expect(table.asked.length - before).toBe(2)
  })

  test('after a long absence keeps the newest 1,000 without a hole below them', async () => {
    const { feed, table, ids } = await joined(rowsOf(1, 200))
    table.rows = rowsOf(1, 5_000)
    await feed.heal()
    expect([ids()[0], ids().at(-1), ids().length]).toEqual([5_000, 4_001, 1_000])
  })

  test('that fails says so, and is tried again sooner, further apart each time', async () => {
    const { feed, table, timers, says, ids } = await joined(rowsOf(1, 2))
    table.rows = rowsOf(1, 3)
    table.failures = 2
    const before = table.asked.length
    await feed.heal()
    expect(says()).toBe('stale')
    await timers.advance(749)
    expect(table.asked.length - before).toBe(1)
    await timers.advance(1)
    expect(table.asked.length - before).toBe(2)
    await timers.advance(1_500)
    expect(says()).toBe('live')
    expect(ids()).toEqual([3, 2, 1])
  })

  test('that fails keeps the reach an incomplete broadcast asked for', async () => {
    const { doorbell, table, timers, ids } = await joined(rowsOf(1_001, 1_200))
    table.rows = rowsOf(701, 1_300)
    table.failures = 1
    doorbell.newest.onRing(ringOf([row(1_300)], 600, 1_300))
    await settle()
    await timers.advance(750)
    expect(table.asked.slice(-2).map(({ after_id }) => after_id)).toEqual([500, 500])
    expect(ids().length).toBe(600)
  })
})

describe('channel', () => {
  test('refused or closed: a new one with backoff; the old one is not listened to', async () => {
    const { doorbell, timers, ids, says } = await joined()
    const [first] = doorbell.handlers
    first!.onRefused('CLOSED')
    expect(says()).toBe('stale')
    await timers.advance(749)
    expect(doorbell.handlers.length).toBe(1)
    await timers.advance(1)
    expect(doorbell.handlers.length).toBe(2)
    first!.onRing(ringOf([row(9)], 1, 9))
    expect(ids()).toEqual([])
    doorbell.newest.onRefused('Unauthorized')
    await timers.advance(1_499)
    expect(doorbell.handlers.length).toBe(2)
    await timers.advance(1)
    expect(doorbell.handlers.length).toBe(3)
  })

  test('that cannot be opened is tried again', async () => {
    const { feed, doorbell, timers, says } = build()
    doorbell.join_failure = new Error('no token')
    feed.start()
    await settle()
    expect(says()).toBe('stale')
    doorbell.join_failure = null
    await timers.advance(750)
    doorbell.newest.onJoined()
    await settle()
    expect(says()).toBe('live')
  })

  test('lost for 30 s is opened anew; meanwhile the table is polled', async () => {
    const { doorbell, table, timers, ids } = await joined()
    doorbell.newest.onLost('socket')
    table.rows = rowsOf(1, 1)
    await timers.advance(2_000)
    expect(ids()).toEqual([1])
    table.rows = rowsOf(1, 2)
    await timers.advance(15_000)
    expect(ids()).toEqual([2, 1])
    expect(doorbell.handlers.length).toBe(1)
    await timers.advance(13_000)
    expect(doorbell.handlers.length).toBe(2)
  })

  test('stop leaves, cancels every timer, and ignores answers on their way', async () => {
    const { feed, doorbell, table, timers, ids } = await joined()
    table.rows = rowsOf(1, 1)
    const healing = feed.heal()
    await feed.stop()
    await healing
    doorbell.handlers[0]!.onRing(ringOf([row(2)], 1, 2))
    expect(ids()).toEqual([])
    expect([doorbell.left, timers.waiting_count]).toEqual([1, 0])
  })
})

test('connectionState without a network is offline, whatever the channel says', async () => {
  const { feed } = await joined()
  expect(connectionState(feed.state, false)).toBe('offline')
  expect(connectionState({ ...feed.state, channel: 'away', heal_failures: 1 }, true))
    .toBe('offline')
})
