// Numbers and times as text. UTC only; no locale, so that a screenshot means the same everywhere.

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** '03:12:00', or '11-20 03:12:00' when it is not the UTC day of `now_ms`. */
export function formatUtc(at_ms: number, now_ms: number): string {
  const text = new Date(at_ms).toISOString()
  const is_today = text.slice(0, 10) === new Date(now_ms).toISOString().slice(0, 10)
  return is_today ? text.slice(11, 19) : `${text.slice(5, 10)} ${text.slice(11, 19)}`
}

/** '2026-11-21 03:12:00.480 UTC', milliseconds only where there are some. */
export function formatUtcFull(at_ms: number): string {
  const text = new Date(at_ms).toISOString()
  const millis = text.slice(19, 23)
  return `${text.slice(0, 10)} ${text.slice(11, 19)}${millis === '.000' ? '' : millis} UTC`
}

/** Coarse age: '12 s', '3 min', '2 h', '4 d'. The future (a clock ahead of ours) reads '0 s'. */
export function formatAge(age_ms: number): string {
  if (age_ms < MINUTE_MS) return `${Math.max(0, Math.floor(age_ms / SECOND_MS))} s`
  if (age_ms < HOUR_MS) return `${Math.floor(age_ms / MINUTE_MS)} min`
  if (age_ms < 2 * DAY_MS) return `${Math.floor(age_ms / HOUR_MS)} h`
  return `${Math.floor(age_ms / DAY_MS)} d`
}

/** A measured span: '412 ms', '1.2 s', '34 s', then as formatAge. */
export function formatSpan(span_ms: number): string {
  if (Math.abs(span_ms) < SECOND_MS) return `${Math.round(span_ms)} ms`
  if (Math.abs(span_ms) < 10 * SECOND_MS) return `${(span_ms / SECOND_MS).toFixed(1)} s`
  return formatAge(span_ms)
}

/** Group the whole part of decimal text and drop trailing zeros; digits are never changed. */
export function formatPrice(decimal: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(decimal)
  if (!match) return decimal
  const [, sign, whole = '', fraction = ''] = match
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  const rest = fraction.replace(/0+$/, '')
  return `${sign}${grouped}${rest ? `.${rest}` : ''}`
}

const DIGITS_READ = 4
const DIGITS_EXACT = 12

/** A value for reading: `digits` of it, but two decimals from 10 up and four from 1 up. */
export function formatValue(value: number, digits: number = DIGITS_READ): string {
  const size = Math.abs(value)
  if (Number.isInteger(value) && size < 1e15) return formatPrice(String(value))
  if (size >= 1e12 || size < 1e-6) return value.toExponential(digits - 1)
  if (size < 1) return formatPrice(value.toPrecision(digits))
  const whole_digits = Math.floor(Math.log10(size)) + 1
  const decimals = size < 10 ? digits : Math.max(2, digits - whole_digits)
  return formatPrice(value.toFixed(decimals))
}

/**
 * How many digits the values of one signal need so that no two different ones read the same:
 * `close 0.26014 > sma(20) 0.260139` must not be shown as 0.2601 and 0.2601.
 */
export function digitsToTellApart(values: Readonly<Record<string, number>>): number {
  const distinct = [...new Set(Object.values(values))]
  for (let digits = DIGITS_READ; digits < DIGITS_EXACT; digits += 1) {
    const texts = new Set(distinct.map((value) => formatValue(value, digits)))
    if (texts.size === distinct.length) return digits
  }
  return DIGITS_EXACT
}

/** All the digits that are guaranteed to be reproducible. */
export function formatValueExact(value: number): string {
  return String(Number(value.toPrecision(DIGITS_EXACT)))
}

/**
 * Named values of a signal. A constant side of a comparison ("30" → 30) explains nothing that the
 * rule does not say, so it is left out.
 */
export function explainingValues(values: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(values).filter(([name]) => !/^-?[\d.]+(e[+-]?\d+)?$/i.test(name))
}

export function formatCount(count: number, noun: string): string {
  const plural = /(s|sh|ch|x)$/.test(noun) ? `${noun}es` : `${noun}s`
  return `${formatPrice(String(count))} ${count === 1 ? noun : plural}`
}

/** '0' → 'none', else '5 min', '1 h', '90 s'. */
export function formatCooldown(cooldown_s: number): string {
  if (cooldown_s === 0) return 'none'
  if (cooldown_s % 86_400 === 0) return `${cooldown_s / 86_400} d`
  if (cooldown_s % 3_600 === 0) return `${cooldown_s / 3_600} h`
  if (cooldown_s % 60 === 0) return `${cooldown_s / 60} min`
  return `${cooldown_s} s`
}
