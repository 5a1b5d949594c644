-- Why: schedules are managed in SQL. The page sql/schedules.sql becomes rows of ops.timetable, each
--   run of a schedule a row of ops.schedule_runs, each change by an operator a row of ops.audit;
--   the view ops.schedules shows it all.
-- Locks: a moment's access exclusive on ops.schedules and ops.settings; a tick waits.
-- Way back: drop view ops.schedules; drop function ops.list_schedules(); drop table
--   ops.schedule_runs, ops.audit; rename ops.timetable and its column timing back; apply the page
--   of the release before.

set local lock_timeout = '5s';

drop function if exists ops.apply_schedules(jsonb);
drop function if exists ops.schedules_drift();

alter table ops.schedules rename to timetable;
alter table ops.timetable rename column schedule to timing;
alter table ops.timetable rename constraint schedules_pkey to timetable_pkey;
alter table ops.timetable rename constraint schedules_name_is_a_word to timetable_name_is_a_word;
alter table ops.timetable
    rename constraint schedules_command_is_bounded to timetable_command_is_bounded;
alter table ops.timetable
    drop constraint schedules_schedule_has_five_fields,
    add constraint timetable_timing_is_cron_or_seconds
    check (timing ~ '^[^ ]+( [^ ]+){4}$' or timing ~ '^every [0-9]+ s$'),
    add constraint timetable_description_is_bounded check (length(description) <= 1000),
    add column overlap text not null default 'skip'
    constraint timetable_overlap_is_known check (overlap in ('skip', 'queue')),
    add column paused_until timestamptz,
    add column pause_reason text
    constraint timetable_pause_reason_is_1_to_500_characters
    check (length(pause_reason) between 1 and 500),
    add constraint timetable_pause_has_a_reason
    check ((paused_until is null) = (pause_reason is null));
comment on table ops.timetable is
    'The page sql/schedules.sql as rows, and who is paused; change it by ops.apply, ops.pause,'
    ' ops.resume. Read it as ops.schedules.';
comment on column ops.timetable.name is 'Name of the schedule, and of its job in cron.job.';
comment on column ops.timetable.timing is
    'When it runs, UTC: a cron expression of five fields, or "every N s".';
comment on column ops.timetable.command is 'SQL that a run executes: one select or call.';
comment on column ops.timetable.overlap is
    'What a run does that is due while the one before is under way: skip, or queue (wait).';
comment on column ops.timetable.paused_until is
    'Runs before this instant are skipped, UTC; null: not paused. In the past: a pause that ended.';
comment on column ops.timetable.pause_reason is 'Why it is paused; null: not paused.';

create table ops.schedule_runs (
    id bigint generated always as identity
        constraint schedule_runs_pkey primary key,
    -- No foreign key: history stays when a schedule leaves the page.
    schedule text not null,
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    status text not null
        constraint schedule_runs_status_is_known
        check (status in ('running', 'succeeded', 'failed', 'skipped')),
    error text
        constraint schedule_runs_error_is_bounded check (length(error) <= 2000),
    answer jsonb
        constraint schedule_runs_answer_is_bounded check (pg_column_size(answer) <= 16000),
    request_id bigint,
    http_status integer,
    http_error text
        constraint schedule_runs_http_error_is_bounded check (length(http_error) <= 500),
    function_ms double precision
        constraint schedule_runs_function_ms_is_not_negative check (function_ms >= 0),
    by_hand boolean not null default false,
    pid integer not null default pg_backend_pid(),
    constraint schedule_runs_running_has_no_end check ((status = 'running') = (ended_at is null)),
    constraint schedule_runs_failed_has_an_error check (status <> 'failed' or error is not null)
);
comment on table ops.schedule_runs is
    'One row per run of a schedule, kept for log_retention_days; written by ops.run_schedule.';
comment on column ops.schedule_runs.id is 'Identity.';
comment on column ops.schedule_runs.schedule is 'Name of the schedule.';
comment on column ops.schedule_runs.started_at is 'When the run began, UTC.';
comment on column ops.schedule_runs.ended_at is 'When it ended, UTC; null: it runs, or died.';
comment on column ops.schedule_runs.status is
    'running, succeeded, failed, or skipped: paused, or the one before was still under way.';
comment on column ops.schedule_runs.error is 'Why it failed or was skipped; null: neither.';
comment on column ops.schedule_runs.answer is
    'First row that its command returned; null: none, or one of more than 16,000 bytes.';
comment on column ops.schedule_runs.request_id is
    'Request it sent (net._http_response.id), as its command returned it; null: none.';
comment on column ops.schedule_runs.http_status is
    'HTTP status of the answer; null: none yet, or none came.';
comment on column ops.schedule_runs.http_error is 'Why no answer came; null: none is known.';
comment on column ops.schedule_runs.function_ms is
    'Milliseconds the function says its answer took; null: it says nothing, or no answer came.';
comment on column ops.schedule_runs.by_hand is 'Whether somebody asked for it (ops.run_now).';
comment on column ops.schedule_runs.pid is 'Process of Postgres that runs it.';
alter table ops.schedule_runs enable row level security;

-- Serves: ops.schedules and ops.history, the newest runs of a schedule.
create index schedule_runs_newest_idx on ops.schedule_runs (schedule, started_at desc);
-- Serves: ops.schedules, average and fail streak; a long pause does not hide them.
create index schedule_runs_not_skipped_idx on ops.schedule_runs (schedule, started_at desc)
    where status <> 'skipped';
-- Serves: ops.schedules, the last answer.
create index schedule_runs_request_id_idx on ops.schedule_runs (schedule, started_at desc)
    where request_id is not null;
-- Serves: each start of a run, "who is under way, who died"; a handful of rows.
create index schedule_runs_running_idx on ops.schedule_runs (schedule)
    where status = 'running';

create table ops.audit (
    id bigint generated always as identity
        constraint audit_pkey primary key,
    at timestamptz not null default clock_timestamp(),
    who text not null,
    via text not null default '',
    action text not null
        constraint audit_action_is_known
        check (action in ('add', 'change', 'remove', 'pause', 'resume', 'run_now')),
    object text not null,
    before jsonb,
    after jsonb
);
comment on table ops.audit is
    'Who changed which schedule or setting, when; written by triggers, kept audit_retention_days.';
comment on column ops.audit.id is 'Identity.';
comment on column ops.audit.at is 'When, UTC.';
comment on column ops.audit.who is 'The signed-in user''s id, else the session''s role.';
comment on column ops.audit.via is 'Program that was used (application_name); may be empty.';
comment on column ops.audit.action is 'add, change, remove, pause, resume, run_now.';
comment on column ops.audit.object is 'What was changed: "schedule tick", "setting error_limit".';
comment on column ops.audit.before is 'The row before; null: there was none.';
comment on column ops.audit.after is 'The row after; null: it is gone.';
alter table ops.audit enable row level security;

-- Serves: the newest changes of one thing.
create index audit_object_idx on ops.audit (object, at desc);

insert into ops.settings (name, value, unit, description)
values ('audit_retention_days', '365', 'days', 'How long ops.audit keeps who changed what.');

-- The bodies of these two are in sql/routines; here only what the trigger and the view name.
create function ops.record_change()
returns trigger
language plpgsql
as $$
begin
    return null;
end
$$;

create trigger timetable_changes_are_recorded
after insert or update or delete on ops.timetable
for each row execute function ops.record_change();

create trigger settings_changes_are_recorded
after insert or update or delete on ops.settings
for each row execute function ops.record_change();

create function ops.list_schedules()
returns table (
    name text,
    timing text,
    timing_text text,
    time_zone text,
    next_runs timestamptz[],
    last_run_at timestamptz,
    last_status text,
    last_http_status integer,
    average_ms double precision,
    fail_streak integer,
    paused_until timestamptz,
    reason text,
    command text,
    description text,
    overlap text,
    last_error text
)
language plpgsql
as $$
begin
end
$$;

create view ops.schedules
with (security_invoker = true)
as
select
    listed.name,
    listed.timing,
    listed.timing_text,
    listed.time_zone,
    listed.next_runs,
    listed.last_run_at,
    listed.last_status,
    listed.last_http_status,
    listed.average_ms,
    listed.fail_streak,
    listed.paused_until,
    listed.reason,
    listed.command,
    listed.description,
    listed.overlap,
    listed.last_error
from ops.list_schedules() as listed;
comment on view ops.schedules is
    'Every schedule with its next and last run; what differs from cron.job is in ops.diff().';
comment on column ops.schedules.name is 'Name.';
comment on column ops.schedules.timing is 'Cron expression of five fields, or "every N s".';
comment on column ops.schedules.timing_text is 'The same in plain English.';
comment on column ops.schedules.time_zone is 'Time zone of the timing: always UTC.';
comment on column ops.schedules.next_runs is 'The next three runs, UTC; of a paused one, after it.';
comment on column ops.schedules.last_run_at is 'When the newest run began, UTC; null: never.';
comment on column ops.schedules.last_status is
    'running, succeeded, failed, skipped; null: never ran.';
comment on column ops.schedules.last_http_status is
    'HTTP status of the last answer to a request of its runs; null: none is known.';
comment on column ops.schedules.average_ms is
    'Mean ms of the runs that succeeded, of the last 100; null: none did.';
comment on column ops.schedules.fail_streak is
    'Runs that failed since one succeeded, at most 100, count; skipped ones do not count.';
comment on column ops.schedules.paused_until is 'Paused until then, UTC; null: not paused.';
comment on column ops.schedules.reason is 'Why it is paused; null: not paused.';
comment on column ops.schedules.command is 'SQL that a run executes.';
comment on column ops.schedules.description is 'Why the schedule exists.';
comment on column ops.schedules.overlap is
    'What a run does that is due while the one before is under way: skip, or queue.';
comment on column ops.schedules.last_error is
    'Why the newest run failed or was skipped; null: it did not.';

revoke all on ops.schedule_runs, ops.audit, ops.schedules
from public, anon, authenticated, service_role;
