// The address bar: #/signals, #/traders, #/traders/new, #/traders/12, #/account.

export type Page = 'signals' | 'traders' | 'account'

export interface Route {
  readonly page: Page
  /** 'new', a trader's id, or nothing. */
  readonly item: string
}

export function parseHash(hash: string): Route {
  const [page = '', item = ''] = hash.replace(/^#\/?/, '').split('/')
  return { page: page === 'traders' || page === 'account' ? page : 'signals', item }
}

class Router {
  route = $state.raw<Route>(parseHash(location.hash))

  constructor() {
    addEventListener('hashchange', () => {
      this.route = parseHash(location.hash)
      scrollTo(0, 0)
    })
  }

  go(path: string): void {
    location.hash = `#/${path}`
  }
}

export const router = new Router()
