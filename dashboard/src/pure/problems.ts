// What went wrong, in words a trader can act on. One type for REST, auth and functions.
import { fieldsOf } from './parse'

export class Problem extends Error {
  readonly hint: string
  readonly code: string
  /** The form field the server names, if any. */
  readonly field: string
  /** Of a rule that does not parse; both count from 1. */
  readonly line: number | null
  readonly column: number | null
  /** What the server thinks was meant. */
  readonly suggestion: string

  constructor(message: string, more: Partial<Omit<Problem, 'message' | 'name'>> = {}) {
    super(message)
    this.hint = more.hint ?? ''
    this.code = more.code ?? ''
    this.field = more.field ?? ''
    this.line = more.line ?? null
    this.column = more.column ?? null
    this.suggestion = more.suggestion ?? ''
  }
}

const UNREACHABLE = 'The server did not answer.'
const UNREACHABLE_HINT = 'Check the connection; nothing was changed.'

// Codes of Supabase Auth: https://supabase.com/docs/guides/auth/debugging/error-codes
const AUTH_TEXTS: Readonly<Record<string, string>> = {
  invalid_credentials: 'This e-mail and password do not match an account.',
  user_already_exists: 'There is an account with this e-mail already. Sign in instead.',
  email_exists: 'There is an account with this e-mail already. Sign in instead.',
  email_not_confirmed: 'Confirm your e-mail first: the link is in your inbox.',
  email_address_invalid: 'This does not look like an e-mail address.',
  signup_disabled: 'New accounts are switched off here.',
  over_request_rate_limit: 'Too many tries. Wait a minute, then try again.',
  over_email_send_rate_limit: 'Too many tries. Wait a minute, then try again.',
}

/** Words for a failed sign-in or sign-up. */
export function authProblem(error: unknown): Problem {
  const fields = typeof error === 'object' && error !== null ? fieldsOf(error, 'an error') : {}
  const code = String(fields['code'] ?? '')
  const message = String(fields['message'] ?? error)
  if (fields['name'] === 'AuthRetryableFetchError') {
    return new Problem(UNREACHABLE, { hint: 'Check the connection, then try again.', code })
  }
  const known = AUTH_TEXTS[code] ?? AUTH_TEXTS[legacyAuthCode(message)]
  if (known) return new Problem(known, { code })
  if (code === 'weak_password') return new Problem(`Choose a longer password. ${message}`, { code })
  return new Problem(message, { code })
}

// Servers that send no code send these sentences.
function legacyAuthCode(message: string): string {
  if (/invalid login credentials/i.test(message)) return 'invalid_credentials'
  if (/already (registered|exists)/i.test(message)) return 'user_already_exists'
  if (/rate limit/i.test(message)) return 'over_request_rate_limit'
  return ''
}

/** Words for a PostgREST error object. */
export function restProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const fields = typeof error === 'object' && error !== null ? fieldsOf(error, 'an error') : {}
  const code = String(fields['code'] ?? '')
  const message = String(fields['message'] ?? error)
  if (isUnreachable(message, code)) {
    return new Problem(UNREACHABLE, { hint: UNREACHABLE_HINT, code: 'Unreachable' })
  }
  return new Problem(message, { code, hint: String(fields['hint'] ?? '') })
}

function isUnreachable(message: string, code: string): boolean {
  return code === '' && /failed to fetch|networkerror|load failed|timed? ?out|abort/i.test(message)
}

/** Words for a function's reply that is not 200: `{"error": {code, message, hint, …}}`. */
export function functionProblem(status: number, body: unknown): Problem {
  const reply = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  const error = reply['error']
  if (typeof error !== 'object' || error === null) {
    return new Problem(`The server answered ${status} without saying why.`, {
      hint: 'Try again in a moment.', code: String(status),
    })
  }
  const fields = error as Record<string, unknown>
  const number = (name: string) => (typeof fields[name] === 'number' ? fields[name] : null)
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : '')
  return new Problem(text('message') || `The server answered ${status}.`, {
    code: text('code'), hint: text('hint'), field: text('field'),
    line: number('line'), column: number('column'), suggestion: text('suggestion'),
  })
}

/** Words for anything thrown by `fetch`. */
export function fetchProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  return new Problem(UNREACHABLE, {
    hint: UNREACHABLE_HINT, code: error instanceof Error ? error.name : 'Unreachable',
  })
}
