create or replace function ops.find_schedule_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
as $$
    -- One cause for each schedule that failed schedule_fail_streak_max times in a row, unless it
    -- is paused: somebody knows of it.
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
        and coalesce(schedules.paused_until < now(), true);
$$;
comment on function ops.find_schedule_causes() is
    'Causes schedule_failing: schedules that failed several times in a row and are not paused.';
revoke all on function ops.find_schedule_causes() from public, anon, authenticated;
