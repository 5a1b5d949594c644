// One clock for every relative time on screen, so that they all turn together.

const CLOCK_STEP_MS = 1_000

class Clock {
  now_ms = $state(Date.now())

  constructor() {
    setInterval(() => {
      this.now_ms = Date.now()
    }, CLOCK_STEP_MS)
  }
}

export const clock = new Clock()
