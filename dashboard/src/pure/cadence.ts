// At which closes a trader is checked: as text in the row, as a choice and a field in the form, and
// in plain words. What is possible is the server's to say; this says what is meant.
import { intervalMs } from './interval'

export type CadenceKind = 'close' | 'count' | 'cron'

export interface CadenceChoice {
  readonly kind: CadenceKind
  /** Of kind 'count'; kept while another kind is chosen. */
  readonly count: number
  /** Of kind 'cron'; likewise. */
  readonly cron: string
}

export const COUNT_MIN = 2
export const COUNT_MAX = 1_000
const DEFAULTS: CadenceChoice = { kind: 'close', count: 3, cron: '0 * * * *' }

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const MONTHS = ['', 'Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov',
  'Dec']
/** What the numbers of each field may be called. */
const WORDS = [[], [], [], MONTHS, DAYS]
const FIELD = /^[0-9*,/-]+$/
const NUMBER = /^\d{1,2}$/
const SPAN_MS: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'],
]

/** The choice that a stored cadence stands for. */
export function choiceOf(cadence: string): CadenceChoice {
  if (cadence === 'close') return DEFAULTS
  const counted = /^every (\d+) closes$/.exec(cadence)
  if (counted) return { ...DEFAULTS, kind: 'count', count: Number(counted[1]) }
  return { ...DEFAULTS, kind: 'cron', cron: cadence }
}

/** The text that is stored. */
export function cadenceOf(choice: CadenceChoice): string {
  if (choice.kind === 'close') return 'close'
  if (choice.kind === 'count') return `every ${choice.count} closes`
  return choice.cron.trim().split(/\s+/).join(' ')
}

/** What can be said without the server, or null. */
export function checkCadence(choice: CadenceChoice): string | null {
  if (choice.kind === 'count') {
    const fits = Number.isInteger(choice.count)
      && choice.count >= COUNT_MIN && choice.count <= COUNT_MAX
    return fits ? null : `Name a whole number of closes, ${COUNT_MIN} to 1,000.`
  }
  if (choice.kind === 'cron') {
    const fields = cadenceOf(choice).split(' ')
    if (fields.length !== 5) {
      return 'A cron expression has five fields: minute, hour, day, month, weekday.'
    }
    const wrong = fields.find((field, place) => !FIELD.test(numbered(field, WORDS[place] ?? [])))
    if (wrong !== undefined) {
      return 'A field has numbers, and * , - /; month and weekday also names (jan, mon);'
        + ` not “${wrong}”.`
    }
  }
  return null
}

/** 'each 5m close', 'every 3rd 5m close (15 min)', 'the 1h close at or after 08:30 UTC, Mon–Fri'. */
export function describeCadence(cadence: string, interval: string): string {
  const { kind, count, cron } = choiceOf(cadence)
  if (kind === 'close') return `each ${interval} close`
  if (kind === 'count') {
    return `every ${ordinal(count)} ${interval} close (${span(count * intervalMs(interval))})`
  }
  const fields = cron.split(' ')
  if (fields.length !== 5) return cron
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string]
  return `the ${interval} close at or after ${times(minute, hour)}${days(day, month, weekday)}`
}

function ordinal(count: number): string {
  const rest = count % 100
  const teens = rest >= 11 && rest <= 13
  return `${count}${teens ? 'th' : (['th', 'st', 'nd', 'rd'][count % 10] ?? 'th')}`
}

function span(span_ms: number): string {
  const [unit_ms, unit] = SPAN_MS.find(([size_ms]) => span_ms % size_ms === 0) ?? [60_000, 'min']
  return `${span_ms / unit_ms} ${unit}`
}

function times(minute: string, hour: string): string {
  const step = /^\*\/(\d+)$/
  if (minute === '*' && hour === '*') return 'every minute'
  if (step.test(minute) && hour === '*') return `every ${step.exec(minute)![1]} min`
  if (NUMBER.test(minute) && hour === '*') return `:${pad(minute)} of each hour`
  if (NUMBER.test(minute) && step.test(hour)) {
    return `:${pad(minute)} of every ${ordinal(Number(step.exec(hour)![1]))} hour, UTC`
  }
  const hours = hour.split(',')
  if (NUMBER.test(minute) && hours.every((one) => NUMBER.test(one))) {
    return `${list(hours.map((one) => `${pad(one)}:${pad(minute)}`))} UTC`
  }
  return `minute ${minute} of hour ${hour} UTC`
}

function days(day: string, month: string, weekday: string): string {
  const by_day = day === '*' ? '' : `day ${day}`
  const by_weekday = weekday === '*' ? '' : names(weekday, DAYS)
  const either = !day.startsWith('*') && !weekday.startsWith('*')
  const which = [by_day, by_weekday].filter(Boolean).join(either ? ' or ' : ' that is ')
  return (which ? `, ${which}` : '') + (month === '*' ? '' : ` in ${names(month, MONTHS)}`)
}

/** 'mon-FRI' → '1-5'; what is no name stays. */
function numbered(field: string, words: readonly string[]): string {
  return field.replace(/[a-z]+/gi, (name) => {
    const place = words.findIndex((word) => word.toLowerCase() === name.toLowerCase())
    return place < 0 ? name : String(place)
  })
}

/** '1-5' → 'Mon–Fri', '0,6' → 'Sun and Sat'; with a step it stays as it is written. */
function names(field: string, words: readonly string[]): string {
  const numbers = numbered(field, words)
  if (!/^[\d,-]+$/.test(numbers)) return `${words === DAYS ? 'weekday' : 'month'} ${field}`
  return list(numbers.split(',').map((item) =>
    item.split('-').map((number) => words[Number(number)] ?? number).join('–')))
}

function list(items: readonly string[]): string {
  return items.length < 2 ? items.join('')
    : `${items.slice(0, -1).join(', ')} and ${items[items.length - 1]}`
}

function pad(number: string): string {
  return number.padStart(2, '0')
}
