// The functions' HTTP: rules are checked and stored only through `save_trader`.
import type { TraderRequest } from '../pure/draft'
import { fieldsOf, parsePreview, parseTrader } from '../pure/parse'
import { fetchProblem, functionProblem } from '../pure/problems'
import type { Preview, Trader } from '../pure/types'

// A cold function takes 1.5 s, a check of 500 instruments well under one.
const FUNCTION_TIMEOUT_MS = 20_000

export interface Saved {
  /** null after a dry run. */
  readonly trader: Trader | null
  readonly preview: Preview
}

export class Functions {
  constructor(
    private readonly functions_url: string,
    private readonly accessToken: () => Promise<string>,
  ) {}

  /** Check (dry_run) or store a trader. Raises Problem, with line and column for a bad rule. */
  async saveTrader(request: TraderRequest): Promise<Saved> {
    const body = await this.#post('save_trader', request)
    const fields = fieldsOf(body, 'the reply of save_trader')
    return {
      trader: fields['trader'] ? parseTrader(fields['trader']) : null,
      preview: parsePreview(fields['preview']),
    }
  }

  async #post(name: string, request: unknown): Promise<unknown> {
    try {
      const token = await this.accessToken()
      const response = await fetch(`${this.functions_url}/${name}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(request),
        signal: AbortSignal.timeout(FUNCTION_TIMEOUT_MS),
      })
      const text = await response.text()
      const reply = parseReply(text)
      if (!response.ok) throw functionProblem(response.status, reply)
      return reply
    } catch (error) {
      throw fetchProblem(error)
    }
  }
}

function parseReply(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: an error page of something in between; functionProblem names the status.
    return null
  }
}
