create or replace function ops.find_cron_causes()
returns setof ops.cause
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
-- A cause if the schedule watch has been late for most of a minute and pg_cron started no other
-- job either. Never found by the schedule itself, only by those who look in its place; and not at
-- their first look, which after a night switched off may come a moment before cron's.
declare
    state ops.watch_state;
    started_at timestamptz;
begin
    select watch_state.* into state from ops.watch_state;
    if state.late_since is null or state.late_since > now() - interval '50 seconds' then
        return;
    end if;
    started_at := greatest(state.scheduled_at, ops.cron_started_at());
    if started_at > now() - make_interval(secs => ops.setting('cron_silent_after_s')::integer) then
        return;
    end if;
    return next row(
        'cron_silent',
        'pg_cron',
        'error',
        format(
            'pg_cron has started no job since %s UTC; closes are evaluated only as far as the'
            ' collector asks for it.',
            to_char(started_at, 'YYYY-MM-DD HH24:MI:SS')
        ),
        jsonb_build_object('started_at', started_at)
    )::ops.cause;
end
$$;
comment on function ops.find_cron_causes() is
    'Causes cron_silent: pg_cron has started no job for cron_silent_after_s.';
revoke all on function ops.find_cron_causes() from public, anon, authenticated;
