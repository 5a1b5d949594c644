-- Why: traders (a rule, where and when it is evaluated) and the history of what each version
--   said. Rules are written by the routine store_trader only; the owner may read, delete, and
--   switch `enabled`.
-- Locks: none on existing tables but a moment's share row exclusive on public.profiles.
-- Way back: drop table public.trader_versions, public.traders cascade;
--   drop table ops.traders_revision.

set local lock_timeout = '5s';

create table public.traders (
    id bigint generated always as identity
        constraint traders_pkey primary key,
    user_id uuid not null
        constraint traders_user_id_fkey references public.profiles (user_id) on delete cascade,
    name text not null
        constraint traders_name_is_1_to_80_characters
        check (length(name) between 1 and 80 and name = btrim(name)),
    description text not null default ''
        constraint traders_description_is_bounded check (length(description) <= 2000),
    rule text not null
        constraint traders_rule_is_1_to_2000_characters
        check (length(rule) between 1 and 2000 and btrim(rule) <> ''),
    venue text not null
        constraint traders_venue_is_known check (venue in ('binance')),
    universe text[]
        constraint traders_universe_is_symbols
        check (cardinality(universe) between 1 and 1000 and ops.are_symbols(universe)),
    "interval" text not null
        constraint traders_interval_is_known check (ops.interval_s("interval") is not null),
    trigger text not null
        constraint traders_trigger_is_known check (trigger in ('enter', 'exit', 'while')),
    -- Signals are kept for 30 days: a longer cooldown could not be checked against them.
    cooldown_s integer not null default 0
        constraint traders_cooldown_s_is_at_most_30_days
        check (cooldown_s between 0 and 2592000),
    enabled boolean not null default true,
    enabled_at timestamptz,
    disabled_reason text
        constraint traders_disabled_reason_is_bounded
        check (length(disabled_reason) between 1 and 1000),
    error_count integer not null default 0
        constraint traders_error_count_is_not_negative check (error_count >= 0),
    last_error text
        constraint traders_last_error_is_bounded check (length(last_error) <= 1000),
    version integer not null default 1
        constraint traders_version_is_positive check (version >= 1),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint traders_enabled_has_a_start check (not enabled or enabled_at is not null),
    constraint traders_enabled_has_no_reason check (not enabled or disabled_reason is null)
);
comment on table public.traders is
    'A rule, the instruments and closes it is evaluated on, and whether it is running.';
comment on column public.traders.id is 'Identity.';
comment on column public.traders.user_id is 'Owner; never changes.';
comment on column public.traders.name is 'Name on screen, 1 to 80 characters.';
comment on column public.traders.description is 'The owner''s words, at most 2,000 characters.';
comment on column public.traders.rule is 'Rule text, 1 to 2,000 characters (docs/rules.md).';
comment on column public.traders.venue is 'Venue id.';
comment on column public.traders.universe is
    'Symbols the rule is evaluated on, 1 to 1,000; null: the whole universe of the venue.';
comment on column public.traders."interval" is 'Kline interval: 1m, 3m, … 1d.';
comment on column public.traders.trigger is
    'enter: true now, false at the close before. exit: the reverse. while: true now.';
comment on column public.traders.cooldown_s is
    'Seconds after a signal of the same instrument in which no other is stored; 0: none.';
comment on column public.traders.enabled is 'Whether the rule is evaluated. The owner may set it.';
comment on column public.traders.enabled_at is
    'Since when it is enabled on this interval, UTC; closes before are not owed. Null: never was.';
comment on column public.traders.disabled_reason is
    'Why the system disabled it; null: enabled, or disabled by the owner.';
comment on column public.traders.error_count is 'Failed evaluations in a row, count.';
comment on column public.traders.last_error is 'Text of the newest failed evaluation; null: none.';
comment on column public.traders.version is
    'Counts changes of rule, venue, universe, interval, trigger or cooldown, from 1.';
comment on column public.traders.created_at is 'When it was stored first, UTC.';
comment on column public.traders.updated_at is
    'When anything but the error count changed last, UTC.';
alter table public.traders enable row level security;

-- Serves: a user's traders, their count for the quota, oldest first for a downgrade.
create index traders_user_id_created_at_idx on public.traders (user_id, created_at, id);
-- Serves: claim_run (enabled traders of an interval) and ops.tick (which intervals are due).
create index traders_enabled_venue_interval_idx on public.traders (venue, "interval", id)
    include (enabled_at)
    where enabled;
-- Serves: ops.store_trader_errors, "who was failing and is not any more".
create index traders_failing_idx on public.traders (venue, "interval")
    where error_count > 0;

create policy "users read their own traders" on public.traders
    for select to authenticated
    using (user_id = (select auth.uid()));

create policy "users switch their own traders" on public.traders
    for update to authenticated
    using (user_id = (select auth.uid()))
    with check (user_id = (select auth.uid()));

create policy "users delete their own traders" on public.traders
    for delete to authenticated
    using (user_id = (select auth.uid()));

create table public.trader_versions (
    trader_id bigint not null
        constraint trader_versions_trader_id_fkey references public.traders (id) on delete cascade,
    version integer not null
        constraint trader_versions_version_is_positive check (version >= 1),
    name text not null,
    rule text not null,
    venue text not null,
    universe text[],
    "interval" text not null,
    trigger text not null,
    cooldown_s integer not null,
    created_at timestamptz not null default now(),
    constraint trader_versions_pkey primary key (trader_id, version)
);
comment on table public.trader_versions is
    'What each version of a trader said; written by a trigger, so that a signal can be explained.';
comment on column public.trader_versions.trader_id is 'The trader.';
comment on column public.trader_versions.version is
    'Version, from 1; signals.rule_version names it.';
comment on column public.trader_versions.name is 'Name at that time.';
comment on column public.trader_versions.rule is 'Rule text.';
comment on column public.trader_versions.venue is 'Venue id.';
comment on column public.trader_versions.universe is 'Symbols; null: the whole universe.';
comment on column public.trader_versions."interval" is 'Kline interval.';
comment on column public.trader_versions.trigger is 'enter, exit or while.';
comment on column public.trader_versions.cooldown_s is 'Cooldown, seconds.';
comment on column public.trader_versions.created_at is 'When this version began, UTC.';
alter table public.trader_versions enable row level security;

create policy "users read the versions of their own traders" on public.trader_versions
    for select to authenticated
    using (
        trader_id in (
            select traders.id
            from public.traders
            where traders.user_id = (select auth.uid())
        )
    );

-- A sequence would not do: its next value is seen before the change it stands for is committed,
-- and a function would then keep the old list under the new number.
create table ops.traders_revision (
    is_only boolean
        constraint traders_revision_pkey primary key
        default true
        constraint traders_revision_is_one_row check (is_only),
    revision bigint not null
        constraint traders_revision_is_positive check (revision >= 1),
    changed_at timestamptz not null default now()
);
comment on table ops.traders_revision is
    'One row: changes whenever a list of traders that claim_run hands out would differ.';
comment on column ops.traders_revision.is_only is 'Always true: there is one row.';
comment on column ops.traders_revision.revision is 'Counts the changes, from 1.';
comment on column ops.traders_revision.changed_at is 'When it changed last, UTC.';
alter table ops.traders_revision enable row level security;

insert into ops.traders_revision (revision)
values (1);
