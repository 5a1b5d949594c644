// A trader while it is being edited: plain text fields, checked and turned into a request.
import { cadenceOf, checkCadence, choiceOf, type CadenceChoice } from './cadence'
import type { Trader, Trigger } from './types'

export interface TraderDraft {
  readonly id: number | null
  name: string
  description: string
  rule: string
  venue: string
  /** Which instruments: all of the venue, or those named in `universe_text`. */
  is_whole_universe: boolean
  universe_text: string
  interval: string
  trigger: Trigger
  cooldown_s: number
  cadence: CadenceChoice
  enabled: boolean
}

/** The body of POST save_trader. */
export interface TraderRequest {
  readonly id?: number
  readonly name: string
  readonly description: string
  readonly rule: string
  readonly venue: string
  readonly universe: readonly string[] | null
  readonly interval: string
  readonly trigger: Trigger
  readonly cooldown_s: number
  readonly cadence: string
  readonly enabled: boolean
  readonly dry_run: boolean
}

export function emptyDraft(): TraderDraft {
  return {
    id: null, name: '', description: '', rule: '', venue: 'binance', is_whole_universe: true,
    universe_text: '', interval: '1m', trigger: 'enter', cooldown_s: 0,
    cadence: choiceOf('close'), enabled: true,
  }
}

export function draftOf(trader: Trader): TraderDraft {
  return {
    id: trader.id, name: trader.name, description: trader.description, rule: trader.rule,
    venue: trader.venue, is_whole_universe: trader.universe === null,
    universe_text: (trader.universe ?? []).join(' '), interval: trader.interval,
    trigger: trader.trigger, cooldown_s: trader.cooldown_s,
    cadence: choiceOf(trader.cadence), enabled: trader.enabled,
  }
}

/** Symbols from free text: separated by anything that is no symbol, upper case, each once. */
export function parseUniverse(text: string): string[] {
  return [...new Set(text.toUpperCase().split(/[\s,;]+/).filter(Boolean))]
}

export interface FieldProblem {
  readonly field: 'name' | 'rule' | 'universe' | 'cadence'
  readonly message: string
}

/** What can be said without the server. A check needs no name yet, saving does. */
export function checkDraft(draft: TraderDraft, dry_run: boolean): FieldProblem | null {
  if (!draft.rule.trim()) return { field: 'rule', message: 'Write a rule first.' }
  if (!draft.is_whole_universe && parseUniverse(draft.universe_text).length === 0) {
    return { field: 'universe', message: 'Name at least one instrument, such as BTCUSDT.' }
  }
  const wrong_cadence = checkCadence(draft.cadence)
  if (wrong_cadence !== null) return { field: 'cadence', message: wrong_cadence }
  if (!dry_run && !draft.name.trim()) return { field: 'name', message: 'Give it a name.' }
  return null
}

export function requestOf(draft: TraderDraft, dry_run: boolean): TraderRequest {
  return {
    ...(draft.id === null ? {} : { id: draft.id }),
    name: draft.name.trim() || (dry_run ? 'Draft' : ''),
    description: draft.description.trim(),
    rule: draft.rule.trim(),
    venue: draft.venue,
    universe: draft.is_whole_universe ? null : parseUniverse(draft.universe_text),
    interval: draft.interval,
    trigger: draft.trigger,
    cooldown_s: draft.cooldown_s,
    cadence: cadenceOf(draft.cadence),
    enabled: draft.enabled,
    dry_run,
  }
}

/** What a check depends on: as long as this is equal, its preview still speaks of the draft. */
export function checkedPart(draft: TraderDraft): string {
  const { rule, venue, universe, interval, trigger, cadence } = requestOf(draft, true)
  return JSON.stringify({ rule, venue, universe, interval, trigger, cadence })
}
