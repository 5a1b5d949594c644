-- Why: the whole list of what each API role may do to a table, on one page. Projects grant
--   everything on new tables of `public` by default; row level security would still hold, but a
--   privilege that nobody needs is a forgery waiting for a wrong policy.
-- Locks: a moment's access exclusive on the tables named.
-- Way back: none needed; grant what is missed.

set local lock_timeout = '5s';

revoke all on
    public.tiers, public.profiles, public.traders, public.trader_versions,
    public.signals, public.signal_overflows, public.feed_status
from public, anon, authenticated, service_role;

revoke all on all tables in schema ops from public, anon, authenticated, service_role;
revoke all on all sequences in schema ops from public, anon, authenticated, service_role;
revoke all on all sequences in schema public from public, anon, authenticated, service_role;

grant select on
    public.tiers, public.profiles, public.traders, public.trader_versions,
    public.signals, public.signal_overflows, public.feed_status
to authenticated;
grant update (display_name) on public.profiles to authenticated;
grant update (enabled), delete on public.traders to authenticated;

-- The service writes through routines; what an operator does beyond them is SQL, or these.
grant select on
    public.tiers, public.profiles, public.traders, public.trader_versions,
    public.signals, public.signal_overflows, public.feed_status
to service_role;
grant update (tier_id, is_admin) on public.profiles to service_role;
