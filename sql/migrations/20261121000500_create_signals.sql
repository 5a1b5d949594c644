-- Why: signals, what went over a cap, and the notification outbox. Written by emit_signals only,
--   in the transaction that finishes the run; unique, so that a retry cannot double one.
-- Locks: a moment's share row exclusive on public.traders for the foreign keys.
-- Way back: drop table ops.outbox, public.signal_overflows, public.signals.

set local lock_timeout = '5s';

create table public.signals (
    id bigint generated always as identity
        constraint signals_pkey primary key,
    -- From the trader's row at emission, never from the caller; deleting the user deletes both.
    user_id uuid not null,
    trader_id bigint not null
        constraint signals_trader_id_fkey references public.traders (id) on delete cascade,
    -- No foreign key: runs are kept for a week, signals for a month.
    run_id bigint not null,
    rule_version integer not null
        constraint signals_rule_version_is_positive check (rule_version >= 1),
    venue text not null
        constraint signals_venue_is_known check (venue in ('binance')),
    instrument text not null
        constraint signals_instrument_is_a_symbol check (ops.is_symbol(instrument)),
    "interval" text not null
        constraint signals_interval_is_known check (ops.interval_s("interval") is not null),
    closed_at timestamptz not null,
    trigger text not null
        constraint signals_trigger_is_known check (trigger in ('enter', 'exit', 'while')),
    origin text not null
        constraint signals_origin_is_known check (origin in ('live', 'late', 'backfill')),
    feed text not null
        constraint signals_feed_is_known check (feed in ('live', 'simulated', 'replay')),
    price numeric not null
        -- NaN sorts above infinity in numeric, so one upper bound refuses both.
        constraint signals_price_is_positive check (price > 0 and price < 'Infinity'),
    "values" jsonb not null
        constraint signals_values_is_object check (jsonb_typeof("values") = 'object')
        constraint signals_values_are_numbers
        check (not jsonb_path_exists("values", '$.* ? (@.type() != "number")'))
        constraint signals_values_is_bounded check (pg_column_size("values") <= 16000),
    frame_revision integer not null
        constraint signals_frame_revision_is_positive check (frame_revision >= 1),
    data_age_ms bigint not null
        constraint signals_data_age_ms_is_not_negative check (data_age_ms >= 0),
    created_at timestamptz not null default now(),
    constraint signals_closed_at_is_a_close check (ops.is_close("interval", closed_at)),
    -- Instrument before close before interval: the cooldown looks back along this index.
    constraint signals_happen_once unique (trader_id, instrument, closed_at, "interval", trigger)
);
comment on table public.signals is
    'A rule matched an instrument at a close. Immutable; owners read, nobody writes by REST.';
comment on column public.signals.id is
    'Identity; grows with storing, so "id > last seen" finds what a reader missed.';
comment on column public.signals.user_id is 'Owner of the trader.';
comment on column public.signals.trader_id is 'The trader.';
comment on column public.signals.run_id is 'The run that stored it, while ops.runs keeps it.';
comment on column public.signals.rule_version is 'Version of the trader that matched.';
comment on column public.signals.venue is 'Venue id.';
comment on column public.signals.instrument is 'Symbol as the venue writes it.';
comment on column public.signals."interval" is 'Kline interval.';
comment on column public.signals.closed_at is 'The close at which it matched, UTC.';
comment on column public.signals.trigger is 'enter, exit or while.';
comment on column public.signals.origin is
    'live: evaluated in its slot. late: data or evaluation came late. backfill: long after.';
comment on column public.signals.feed is 'Where the data came from: live, simulated, replay.';
comment on column public.signals.price is 'Closing price, quote currency per base unit.';
comment on column public.signals."values" is
    'What explains it: text of each numeric node of the rule → its value at the close.';
comment on column public.signals.frame_revision is 'Revision of the frame it was seen in, from 1.';
comment on column public.signals.data_age_ms is
    'From the close to its evaluation, milliseconds.';
comment on column public.signals.created_at is 'When it was stored, UTC.';
alter table public.signals enable row level security;

-- Serves: a user's newest signals, and "id > last seen" after a reconnect.
create index signals_user_id_id_idx on public.signals (user_id, id desc);
-- Serves: one trader's signals, and what is stored already for a close (the cap).
create index signals_trader_id_closed_at_idx on public.signals (trader_id, closed_at desc);

create policy "users read their own signals" on public.signals
    for select to authenticated
    using (user_id = (select auth.uid()));

create table public.signal_overflows (
    trader_id bigint not null
        constraint signal_overflows_trader_id_fkey references public.traders (id) on delete cascade,
    user_id uuid not null,
    "interval" text not null
        constraint signal_overflows_interval_is_known
        check (ops.interval_s("interval") is not null),
    closed_at timestamptz not null,
    trigger text not null
        constraint signal_overflows_trigger_is_known check (trigger in ('enter', 'exit', 'while')),
    rest_count integer not null
        constraint signal_overflows_rest_count_is_positive check (rest_count > 0),
    constraint signal_overflows_closed_at_is_a_close check (ops.is_close("interval", closed_at)),
    constraint signal_overflows_pkey primary key (trader_id, "interval", closed_at)
);
comment on table public.signal_overflows is
    'Matches of a trader at one close beyond its tier''s cap: only counted, not stored.';
comment on column public.signal_overflows.trader_id is 'The trader.';
comment on column public.signal_overflows.user_id is 'Owner of the trader.';
comment on column public.signal_overflows."interval" is 'Kline interval.';
comment on column public.signal_overflows.closed_at is 'The close, UTC.';
comment on column public.signal_overflows.trigger is 'enter, exit or while.';
comment on column public.signal_overflows.rest_count is 'Matches not stored, count.';
alter table public.signal_overflows enable row level security;

-- Serves: a user's overflows beside the newest signals; and retention.
create index signal_overflows_user_id_closed_at_idx
    on public.signal_overflows (user_id, closed_at desc);
create index signal_overflows_closed_at_idx on public.signal_overflows (closed_at);

create policy "users read their own overflows" on public.signal_overflows
    for select to authenticated
    using (user_id = (select auth.uid()));

create table ops.outbox (
    id bigint generated always as identity
        constraint outbox_pkey primary key,
    signal_id bigint not null
        constraint outbox_signal_is_sent_once unique
        constraint outbox_signal_id_fkey references public.signals (id) on delete cascade,
    user_id uuid not null,
    status text not null default 'pending'
        constraint outbox_status_is_known check (status in ('pending', 'sent', 'failed')),
    attempts integer not null default 0
        constraint outbox_attempts_is_not_negative check (attempts >= 0),
    next_attempt_at timestamptz not null default now(),
    created_at timestamptz not null default now()
);
comment on table ops.outbox is
    'Notifications to be delivered: one row for each live or late signal, none for a backfill.';
comment on column ops.outbox.id is 'Identity.';
comment on column ops.outbox.signal_id is 'The signal.';
comment on column ops.outbox.user_id is 'Whom it is for.';
comment on column ops.outbox.status is 'pending, sent, failed.';
comment on column ops.outbox.attempts is 'Deliveries tried, count.';
comment on column ops.outbox.next_attempt_at is 'Not before this instant, UTC.';
comment on column ops.outbox.created_at is 'When the signal was stored, UTC.';
alter table ops.outbox enable row level security;

-- Serves: the next deliveries that are due.
create index outbox_due_idx on ops.outbox (next_attempt_at) where status = 'pending';
