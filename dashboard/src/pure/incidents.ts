// What an operator reads of incidents: their titles in plain words, and which need somebody.
import type { Incident } from './types'

const TITLES: Readonly<Record<string, string>> = {
  slot_missing: 'Closes are not evaluated',
  feed_stale: 'Market data is late',
  schedule_failing: 'A schedule keeps failing',
  schedule_paused: 'A schedule is paused',
  outbox_growing: 'Notifications pile up',
  cron_silent: 'The timetable stands still',
  requests_silent: 'Calls to the functions are not sent',
  budget_exceeded: 'A budget is exceeded',
  backup_overdue: 'The backup is overdue',
}

/** A kind this page does not know yet is shown by its own word. */
export function incidentTitle(kind: string): string {
  return TITLES[kind] ?? kind.replaceAll('_', ' ')
}

/** Open incidents of one kind: a silent collector is one thing to do, not one an interval. */
export interface IncidentGroup {
  readonly kind: string
  /** The worst of them. */
  readonly severity: Incident['severity']
  /** Oldest first. */
  readonly incidents: readonly Incident[]
}

/** By kind, in the order in which kinds first appear. */
export function groupIncidents(incidents: readonly Incident[]): IncidentGroup[] {
  const kinds = [...new Set(incidents.map(({ kind }) => kind))]
  return kinds.map((kind) => {
    const same = incidents.filter((incident) => incident.kind === kind)
    return {
      kind,
      severity: same.some(({ severity }) => severity === 'error') ? 'error' : 'warn',
      incidents: same.sort((a, b) => a.id - b.id),
    }
  })
}

/** Those that nobody has taken in hand, and those that somebody has; each in the given order. */
export function splitIncidents(
  incidents: readonly Incident[],
): { waiting: Incident[]; in_hand: Incident[] } {
  return {
    waiting: incidents.filter((incident) => incident.acknowledged_at_ms === null),
    in_hand: incidents.filter((incident) => incident.acknowledged_at_ms !== null),
  }
}
