// The open incidents, for operators; others are not even asked about. Polled: asking is also what
// makes the database look for itself while its timetable stands still.
import type { Timers } from '../feed_state'
import { groupIncidents, splitIncidents } from '../pure/incidents'
import { restProblem, type Problem } from '../pure/problems'
import type { Incident } from '../pure/types'

export const POLL_EVERY_MS = 30_000

export interface IncidentSource {
  selectIsOperator(user_id: string): Promise<boolean>
  listIncidents(): Promise<Incident[]>
  acknowledgeIncident(id: number, note: string): Promise<void>
}

export class IncidentList {
  incidents = $state.raw<readonly Incident[]>([])
  /** null until it is known. */
  is_operator = $state<boolean | null>(null)
  problem = $state.raw<Problem | null>(null)

  split = $derived(splitIncidents(this.incidents))
  groups = $derived(groupIncidents(this.split.waiting))

  #stopped = true
  #cancel = () => {}

  constructor(
    private readonly source: IncidentSource,
    private readonly user_id: string,
    private readonly timers: Timers,
  ) {}

  start(): () => void {
    this.#stopped = false
    void this.poll()
    return () => {
      this.#stopped = true
      this.#cancel()
    }
  }

  /** Ask now, and again after a while unless the user is no operator. */
  async poll(): Promise<void> {
    this.#cancel()
    try {
      this.is_operator ??= await this.source.selectIsOperator(this.user_id)
      if (!this.is_operator) return
      this.incidents = await this.source.listIncidents()
      this.problem = null
    } catch (error) {
      this.problem = restProblem(error)
    }
    // Two polls that ran side by side leave one timer.
    this.#cancel()
    if (this.#stopped) return
    this.#cancel = this.timers.after(POLL_EVERY_MS, () => void this.poll())
  }

  /** Raises Problem; what was taken in hand before it stays so. */
  async acknowledge(ids: readonly number[], note: string): Promise<void> {
    try {
      for (const id of ids) await this.source.acknowledgeIncident(id, note)
    } finally {
      await this.poll()
    }
  }
}
