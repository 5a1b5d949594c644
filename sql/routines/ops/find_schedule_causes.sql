create or replace function ops.find_schedule_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
    -- One cause for each schedule that failed schedule_fail_streak_max times in a row, unless it
    -- is paused; and one for each that is paused, so that nobody forgets it.
    select
        'schedule_failing',
        schedules.name,
        'error',
        format(
            'The schedule %s has failed %s times in a row.',
            schedules.name, schedules.fail_streak
        ),
        jsonb_build_object(
            'fail_streak', schedules.fail_streak,
            'last_run_at', schedules.last_run_at,
            'last_http_status', schedules.last_http_status
        )
    from ops.schedules
    where schedules.fail_streak >= ops.setting('schedule_fail_streak_max')::integer
        and coalesce(schedules.paused_until < now(), true)
    union all
    select
        'schedule_paused',
        schedules.name,
        'warn',
        format(
            'The schedule %s is paused until %s: %s%s',
            schedules.name,
            case
                when isfinite(schedules.paused_until)
                then to_char(schedules.paused_until, 'YYYY-MM-DD HH24:MI "UTC"')
                else 'it is resumed'
            end,
            schedules.reason,
            case schedules.name
                when 'tick' then ' (closes are evaluated only as far as the collector asks for it)'
                when 'watch' then ' (the dead man is not called)'
            end
        ),
        jsonb_build_object('paused_until', schedules.paused_until, 'reason', schedules.reason)
    from ops.schedules
    where schedules.paused_until > now();
$$;
comment on function ops.find_schedule_causes() is
    'Causes schedule_failing and schedule_paused: failed several times in a row, or paused.';
revoke all on function ops.find_schedule_causes() from public, anon, authenticated;
