-- Why: who a user is to Closebell and what the user's tier allows. Identity itself is the auth
--   service's; a row in profiles follows each row of auth.users.
-- Locks: share row exclusive on auth.users while its foreign key is added (moments).
-- Way back: drop table public.profiles, public.tiers cascade.

set local lock_timeout = '5s';

create table public.tiers (
    id text
        constraint tiers_pkey primary key
        constraint tiers_id_is_known check (id in ('free', 'pro', 'elite')),
    traders_max integer
        constraint tiers_traders_max_is_positive check (traders_max > 0),
    signals_per_close_max integer not null
        constraint tiers_signals_per_close_max_is_positive check (signals_per_close_max > 0),
    requests_per_minute integer not null
        constraint tiers_requests_per_minute_is_positive check (requests_per_minute > 0)
);
comment on table public.tiers is
    'What each tier allows. Enforced in the database, see ops.guard_trader.';
comment on column public.tiers.id is 'Name of the tier.';
comment on column public.tiers.traders_max is 'Traders enabled at once, count; null: no limit.';
comment on column public.tiers.signals_per_close_max is
    'Signals stored per trader and close, count; the rest is counted in signal_overflows.';
comment on column public.tiers.requests_per_minute is 'Requests to the functions a minute, count.';
alter table public.tiers enable row level security;

insert into public.tiers (id, traders_max, signals_per_close_max, requests_per_minute)
values
    ('free', 10, 20, 60),
    ('pro', 100, 50, 300),
    ('elite', null, 500, 1000);

create policy "signed-in users read the tiers" on public.tiers
    for select to authenticated
    using (true);

create table public.profiles (
    user_id uuid
        constraint profiles_pkey primary key
        constraint profiles_user_id_fkey references auth.users (id) on delete cascade,
    display_name text
        constraint profiles_display_name_is_1_to_80_characters
        check (length(display_name) between 1 and 80 and display_name = btrim(display_name)),
    tier_id text not null
        constraint profiles_tier_id_fkey references public.tiers (id),
    is_admin boolean not null default false,
    created_at timestamptz not null default now()
);
comment on table public.profiles is
    'One row a user, made by a trigger on auth.users. The owner may change display_name only.';
comment on column public.profiles.user_id is 'The user, as in auth.users.';
comment on column public.profiles.display_name is 'Name shown to others; null: none chosen.';
comment on column public.profiles.tier_id is 'Tier; changed by the operator only.';
comment on column public.profiles.is_admin is 'Whether the user is an operator; never set by REST.';
comment on column public.profiles.created_at is 'When the row was made, UTC.';
alter table public.profiles enable row level security;

-- Serves: "users of this tier" when a tier's quota changes (ops.enforce_tier_quota).
create index profiles_tier_id_idx on public.profiles (tier_id);

create policy "users read their own profile" on public.profiles
    for select to authenticated
    using (user_id = (select auth.uid()));

create policy "users change their own profile" on public.profiles
    for update to authenticated
    using (user_id = (select auth.uid()))
    with check (user_id = (select auth.uid()));

-- A project that had users before Closebell: they get what a new user gets.
insert into public.profiles (user_id, tier_id)
select users.id, 'free'
from auth.users as users;
