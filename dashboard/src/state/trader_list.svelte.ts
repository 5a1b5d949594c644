// The user's traders, and what may be done with them.
import type { Backend } from '../edge/backend'
import type { Functions, Saved } from '../edge/functions'
import { requestOf, type TraderDraft } from '../pure/draft'
import { restProblem, type Problem } from '../pure/problems'
import type { Tier, Trader } from '../pure/types'

export class TraderList {
  traders = $state.raw<readonly Trader[]>([])
  overflows = $state.raw<ReadonlyMap<number, number>>(new Map())
  tier = $state.raw<Tier | null>(null)
  is_loaded = $state(false)
  problem = $state.raw<Problem | null>(null)

  byId = $derived(new Map(this.traders.map((trader) => [trader.id, trader])))
  enabled_count = $derived(this.traders.filter((trader) => trader.enabled).length)

  constructor(
    private readonly backend: Backend,
    private readonly functions: Functions,
    private readonly user_id: string,
  ) {}

  async load(now_ms: number): Promise<void> {
    try {
      const [traders, overflows, tier] = await Promise.all([
        this.backend.selectTraders(),
        this.backend.selectOverflows(now_ms),
        this.backend.selectTier(this.user_id),
      ])
      this.traders = traders
      this.overflows = overflows
      this.tier = tier
      this.problem = null
      this.is_loaded = true
    } catch (error) {
      this.problem = restProblem(error)
    }
  }

  /** Raises Problem. */
  async setEnabled(trader: Trader, enabled: boolean): Promise<void> {
    this.#put(await this.backend.updateEnabled(trader.id, enabled))
  }

  /** Raises Problem; nothing is stored. */
  async check(draft: TraderDraft): Promise<Saved> {
    return this.functions.saveTrader(requestOf(draft, true))
  }

  /** Raises Problem. */
  async save(draft: TraderDraft): Promise<Saved> {
    const saved = await this.functions.saveTrader(requestOf(draft, false))
    if (saved.trader) this.#put(saved.trader)
    return saved
  }

  /** Raises Problem. */
  async delete(trader: Trader): Promise<void> {
    await this.backend.deleteTrader(trader.id)
    this.traders = this.traders.filter((other) => other.id !== trader.id)
  }

  #put(trader: Trader): void {
    const others = this.traders.filter((other) => other.id !== trader.id)
    this.traders = [...others, trader].sort((a, b) => a.id - b.id)
  }
}
