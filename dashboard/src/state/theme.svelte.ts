// Light, dark, or as the system says; remembered in this browser only.

export type Theme = 'auto' | 'light' | 'dark'
export const THEMES: readonly Theme[] = ['auto', 'light', 'dark']
const KEY = 'closebell.theme'

class ThemeChoice {
  value = $state<Theme>('auto')

  constructor() {
    const stored = readStored()
    this.choose(stored === 'light' || stored === 'dark' ? stored : 'auto')
  }

  choose(theme: Theme): void {
    this.value = theme
    document.documentElement.dataset['theme'] = theme
    try {
      localStorage.setItem(KEY, theme)
    } catch {
      // Storage is blocked in this browser: the choice holds until the page is closed.
    }
  }
}

function readStored(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    // Storage is blocked: follow the system.
    return null
  }
}

export const theme = new ThemeChoice()
