// One drawing per animation frame, however many messages came, and the instant it was visible.
// Not here: what is drawn. Used by state/signal_list.

type Draw = () => readonly number[]

export class Painter {
  #is_scheduled = false
  #channel = new MessageChannel()
  #painted: number[] = []

  /** `onPainted` gets the ids drawn and the epoch ms right after their frame was painted. */
  constructor(
    private readonly draw: Draw,
    private readonly onPainted: (ids: readonly number[], at_ms: number) => void,
  ) {
    this.#channel.port1.onmessage = () => {
      const ids = this.#painted
      this.#painted = []
      if (ids.length > 0) this.onPainted(ids, performance.timeOrigin + performance.now())
    }
  }

  schedule(): void {
    if (this.#is_scheduled) return
    this.#is_scheduled = true
    requestAnimationFrame(() => {
      this.#is_scheduled = false
      this.#painted.push(...this.draw())
      // A message posted inside the frame's callback is delivered after that frame was painted.
      this.#channel.port2.postMessage(null)
    })
  }
}

/** Ids remembered by the measuring aid. */
const SHOWN_MAX = 5_000

/** `window.__closebell`: when each signal became visible, for benchmarks and browser tests. */
export class MeasuringAid {
  readonly signalShownAt = new Map<number, number>()

  note(ids: readonly number[], at_ms: number): void {
    for (const id of ids) {
      if (!this.signalShownAt.has(id)) this.signalShownAt.set(id, at_ms)
    }
    for (const id of this.signalShownAt.keys()) {
      if (this.signalShownAt.size <= SHOWN_MAX) break
      this.signalShownAt.delete(id)
    }
  }
}

declare global {
  interface Window {
    __closebell?: MeasuringAid
  }
}
