// Who is signed in. Wraps supabase-js' auth; errors leave as Problem, in plain words.
import type { SupabaseClient } from '@supabase/supabase-js'
import { authProblem, Problem } from '../pure/problems'

export interface User {
  readonly id: string
  readonly email: string
}

export class Session {
  user = $state.raw<User | null>(null)
  /** False until the stored session was read: show neither the sign-in nor the desk. */
  is_known = $state(false)

  constructor(private readonly client: SupabaseClient) {
    client.auth.onAuthStateChange((_event, session) => {
      const user = session?.user
      // Also called on every token refresh and tab focus: only another person is a change.
      if (user?.id !== this.user?.id) {
        this.user = user ? { id: user.id, email: user.email ?? '' } : null
      }
      this.is_known = true
    })
  }

  async signIn(email: string, password: string): Promise<void> {
    const { error } = await this.client.auth.signInWithPassword({ email, password })
    if (error) throw authProblem(error)
  }

  /** Returns false when the account must be confirmed by e-mail first. */
  async signUp(email: string, password: string): Promise<boolean> {
    const { data, error } = await this.client.auth.signUp({ email, password })
    if (error) throw authProblem(error)
    return data.session !== null
  }

  async signOut(): Promise<void> {
    // 'local': this browser only; other devices stay signed in.
    const { error } = await this.client.auth.signOut({ scope: 'local' })
    if (error) throw authProblem(error)
  }

  async accessToken(): Promise<string> {
    const { data } = await this.client.auth.getSession()
    if (data.session) return data.session.access_token
    throw new Problem('You are signed out.', { code: 'Unauthorized', hint: 'Sign in again.' })
  }
}
