// Where in a rule the error is, and the rule with the suggestion taken.
// Lines and columns count from 1, in characters, as the rule parser reports them.

export interface CaretMark {
  /** The line of the rule the error is in. */
  readonly text: string
  /** Spaces and a '^' under the column; '^^^' under a whole word. */
  readonly caret: string
}

/** Null when the position is not in the rule (the text was edited since). */
export function markError(rule: string, line: number, column: number): CaretMark | null {
  const text = rule.split('\n')[line - 1]
  if (text === undefined || column < 1) return null
  const at = Math.min(column - 1, text.length)
  // A tab before the caret stays a tab, so that both lines keep the same width.
  const indent = text.slice(0, at).replace(/[^\t]/g, ' ')
  return { text, caret: indent + '^'.repeat(Math.max(1, wordAt(text, at).length)) }
}

export interface Applied {
  readonly rule: string
  /** What to select afterwards, as offsets: the part that is still to be filled in, or nothing. */
  readonly selection: readonly [start: number, end: number]
}

/** A suggestion with open places, such as `crosses_above(a, b)`, is an example, not a repair. */
export function canApply(suggestion: string): boolean {
  return suggestion !== '' && !/\ba, b\b/.test(suggestion)
}

/**
 * Replace what the error is about: a word; the call it begins; the call it is an argument of, when
 * the suggestion is that call; or the name before '=' when the suggestion is a parameter's name.
 */
export function applySuggestion(
  rule: string, line: number, column: number, suggestion: string,
): Applied {
  const at = offsetOf(rule, line, column)
  const [start, end] = spanToReplace(rule, at, suggestion)
  const changed = rule.slice(0, start) + suggestion + rule.slice(end)
  const open_at = suggestion.indexOf('…')
  const cursor = start + suggestion.length
  const selection = open_at === -1 ? [cursor, cursor] as const
    : [start + open_at, start + open_at + 1] as const
  return { rule: changed, selection }
}

/** The position of the error as an offset into the whole text, for the text cursor. */
export function offsetOf(rule: string, line: number, column: number): number {
  const before = rule.split('\n').slice(0, line - 1)
  const offset = before.reduce((sum, text) => sum + text.length + 1, 0) + column - 1
  return Math.max(0, Math.min(offset, rule.length))
}

function spanToReplace(rule: string, at: number, suggestion: string): [number, number] {
  const word_end = at + wordAt(rule, at).length
  const keyword = /([A-Za-z_]\w*)\s*=\s*$/.exec(rule.slice(0, at))
  if (keyword && /^[a-z_]\w*$/.test(suggestion) && /\d/.test(rule[at] ?? '')) {
    return [keyword.index, keyword.index + keyword[1]!.length]
  }
  const digits = /^\d+/.exec(suggestion)?.[0] ?? ''
  if (digits && rule.slice(0, at).endsWith(digits)) return [at - digits.length, word_end]
  const called = /^([A-Za-z_]\w*)[([]/.exec(suggestion)?.[1]
  if (!called && !suggestion.includes('…')) return [at, word_end]
  return (called && enclosingCall(rule, at, called)) || [at, groupEnd(rule, word_end)]
}

/** The innermost call of `name` around an offset. */
function enclosingCall(rule: string, at: number, name: string): [number, number] | null {
  const calls = rule.slice(0, at).matchAll(new RegExp(`\\b${name}\\s*\\(`, 'g'))
  for (const call of [...calls].reverse()) {
    const end = groupEnd(rule, call.index + call[0].length - 1)
    if (end > at) return [call.index, end]
  }
  return null
}

/** Where the bracket that opens at `at` is closed again, exclusive; `at` if there is none. */
function groupEnd(rule: string, at: number): number {
  let depth = 0
  for (let index = at; index < rule.length; index += 1) {
    if ('(['.includes(rule[index]!)) depth += 1
    else if (')]'.includes(rule[index]!)) depth -= 1
    if (depth === 0) return index === at ? at : index + 1
  }
  return at
}

const WORD = /^(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|\d[\w.]*|===|[<>=!]=|=[<>]|<>|&&|\|\||[^\s\w])/

function wordAt(text: string, at: number): string {
  return WORD.exec(text.slice(at))?.[0] ?? ''
}
