-- Why: what is abnormal is a row: raised when it is first seen, acknowledged by a person, closed
--   when its cause is gone. ops.watch looks each minute and replaces ops.watch_slots; whoever else
--   comes by (the collector's poke, an operator's dashboard, the command line) looks in its place
--   while pg_cron is silent.
-- Locks: a moment's access exclusive on ops.function_logs while an index is dropped.
-- Way back: drop table ops.incidents, ops.watch_state; drop view ops.slot_counts;
--   drop type ops.cause (after their routines); delete the rows of ops.settings below; and give
--   ops.function_logs its index function_logs_slot_missed_once_idx back.

set local lock_timeout = '5s';

-- Its warnings (one line a slot) are incidents now.
drop function if exists ops.watch_slots();
drop index ops.function_logs_slot_missed_once_idx;

create table ops.incidents (
    id bigint generated always as identity
        constraint incidents_pkey primary key,
    kind text not null
        constraint incidents_kind_is_known check (kind in (
            'slot_missing', 'feed_stale', 'schedule_failing', 'outbox_growing', 'cron_silent',
            'requests_silent', 'budget_exceeded', 'backup_overdue'
        )),
    subject text not null
        constraint incidents_subject_is_1_to_200_characters
        check (length(subject) between 1 and 200),
    severity text not null
        constraint incidents_severity_is_known check (severity in ('warn', 'error')),
    message text not null
        constraint incidents_message_is_1_to_1000_characters
        check (length(message) between 1 and 1000),
    details jsonb not null default '{}'
        constraint incidents_details_is_object check (jsonb_typeof(details) = 'object')
        constraint incidents_details_is_bounded check (pg_column_size(details) <= 16000),
    quiet_s integer not null
        constraint incidents_quiet_s_is_positive check (quiet_s > 0),
    raised_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    acknowledged_at timestamptz,
    acknowledged_by text
        constraint incidents_acknowledged_by_is_1_to_200_characters
        check (length(acknowledged_by) between 1 and 200),
    note text not null default ''
        constraint incidents_note_is_bounded check (length(note) <= 2000),
    closed_at timestamptz,
    closed_by text
        constraint incidents_closed_by_is_1_to_200_characters
        check (length(closed_by) between 1 and 200),
    constraint incidents_acknowledged_has_a_name
        check ((acknowledged_at is null) = (acknowledged_by is null)),
    constraint incidents_closed_has_a_name check ((closed_at is null) = (closed_by is null))
);
comment on table ops.incidents is
    'What is, or was, abnormal: one open row a kind and subject. docs/runbook.md says what to do.';
comment on column ops.incidents.id is 'Identity.';
comment on column ops.incidents.kind is 'What is wrong; each kind is a section of docs/runbook.md.';
comment on column ops.incidents.subject is 'With what: an interval, a schedule, a service.';
comment on column ops.incidents.severity is
    'warn: look when you can. error: signals are, or will be, late or lost.';
comment on column ops.incidents.message is 'What was seen last, in plain words.';
comment on column ops.incidents.details is 'The figures behind the message, for programs.';
comment on column ops.incidents.quiet_s is
    'Seconds without its cause being seen after which it closes by itself.';
comment on column ops.incidents.raised_at is 'When it was seen first, UTC.';
comment on column ops.incidents.last_seen_at is 'When its cause was seen last, UTC.';
comment on column ops.incidents.acknowledged_at is
    'When somebody took it in hand, UTC; null: nobody yet.';
comment on column ops.incidents.acknowledged_by is 'Who did; null: nobody yet.';
comment on column ops.incidents.note is 'What people wrote about it, a line each.';
comment on column ops.incidents.closed_at is 'When it ended, UTC; null: it is open.';
comment on column ops.incidents.closed_by is
    'Who closed it: watch (its cause was gone) or a person; null: it is open.';
alter table ops.incidents enable row level security;
revoke all on ops.incidents from public, anon, authenticated, service_role;

-- Serves: raising (the same cause is the same row) and every list of what is open.
create unique index incidents_open_once_idx on ops.incidents (kind, subject)
    where closed_at is null;
-- Serves: retention, and what was closed by hand lately.
create index incidents_closed_at_idx on ops.incidents (closed_at) where closed_at is not null;

create table ops.watch_state (
    is_only boolean
        constraint watch_state_pkey primary key
        constraint watch_state_has_one_row check (is_only),
    watched_at timestamptz not null,
    scheduled_at timestamptz not null,
    late_since timestamptz,
    oldest_request_id bigint,
    oldest_request_since timestamptz,
    pinged_at timestamptz,
    constraint watch_state_request_has_a_start
        check ((oldest_request_id is null) = (oldest_request_since is null))
);
comment on table ops.watch_state is 'What ops.watch remembers between two looks; one row.';
comment on column ops.watch_state.is_only is 'Always true: there is one row.';
comment on column ops.watch_state.watched_at is 'The last look by anybody, UTC.';
comment on column ops.watch_state.scheduled_at is 'The last look by the schedule watch, UTC.';
comment on column ops.watch_state.late_since is
    'When somebody noticed that the schedule has not looked for cron_silent_after_s, UTC; null:'
    ' it is on time.';
comment on column ops.watch_state.oldest_request_id is
    'Oldest row of net.http_request_queue at the last look; null: it was empty.';
comment on column ops.watch_state.oldest_request_since is
    'Since when that row has been the oldest (the queue keeps no times), UTC; null: no row.';
comment on column ops.watch_state.pinged_at is 'When deadman_url was pinged last, UTC; null: never.';
alter table ops.watch_state enable row level security;
revoke all on ops.watch_state from public, anon, authenticated, service_role;
insert into ops.watch_state (is_only, watched_at, scheduled_at) values (true, now(), now());

create type ops.cause as (
    kind text,
    subject text,
    severity text,
    message text,
    details jsonb
);
comment on type ops.cause is 'Something abnormal, as a look finds it: what ops.raise_incident takes.';

create view ops.slot_counts
with (security_invoker = true)
as
with owed as (
    select
        due.venue,
        due."interval",
        slot.closed_at
    from (
        select
            traders.venue,
            traders."interval",
            make_interval(secs => ops.interval_s(traders."interval")) as length,
            min(traders.enabled_at) as since
        from public.traders
        where traders.enabled
        group by traders.venue, traders."interval"
    ) as due
    cross join lateral generate_series(
        date_bin(due.length, now(), timestamptz 'epoch') - interval '1 day',
        now() - (
            select make_interval(secs => settings.value::integer)
            from ops.settings
            where settings.name = 'watch_after_s'
        ),
        due.length
    ) as slot (closed_at)
    where slot.closed_at >= due.since
)
select
    owed.venue,
    owed."interval",
    count(*)::integer as expected_count,
    count(*)::integer - count(undone.closed_at)::integer as finished_count,
    count(undone.closed_at)::integer as missing_count
from owed
left join (
    select distinct
        slots_missing.venue,
        slots_missing."interval",
        slots_missing.closed_at
    from ops.slots_missing
) as undone
    on undone.venue = owed.venue
    and undone."interval" = owed."interval"
    and undone.closed_at = owed.closed_at
group by owed.venue, owed."interval";
comment on view ops.slot_counts is
    'Expected against actual: the slots owed in the last day, without those of the last'
    ' watch_after_s, per venue and interval.';
comment on column ops.slot_counts.venue is 'Venue id.';
comment on column ops.slot_counts."interval" is 'Kline interval.';
comment on column ops.slot_counts.expected_count is 'Slots that some trader is owed, count.';
comment on column ops.slot_counts.finished_count is 'Those whose runs all finished, count.';
comment on column ops.slot_counts.missing_count is 'The others: rows of ops.slots_missing, count.';
revoke all on ops.slot_counts from public, anon, authenticated, service_role;

insert into ops.settings (name, value, unit, description)
values
    ('feed_stale_after_s', '120', 's',
        'How late the newest finished close of an interval may be.'),
    ('schedule_fail_streak_max', '3', 'count',
        'Failures in a row at which a schedule is an incident.'),
    ('cron_silent_after_s', '90', 's', 'How long the schedule watch may not have run.'),
    ('requests_silent_after_s', '90', 's',
        'How long the same request may be the oldest that waits to be sent.'),
    ('outbox_watched', 'off', 'switch',
        'Whether the outbox is watched: on, once something delivers what is in it.'),
    ('outbox_age_s_max', '900', 's', 'How long a notification may wait in the outbox.'),
    ('outbox_count_max', '1000', 'count', 'How many notifications may wait in the outbox.'),
    ('incident_quiet_s', '120', 's',
        'How long the cause of an incident must be gone before it closes by itself.'),
    ('incident_retention_days', '90', 'days', 'How long closed incidents stay.');
