create or replace function ops.find_schedule_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
as $$
    -- One cause for each schedule that failed schedule_fail_streak_max times in a row, unless it
    -- is paused: somebody knows of it.
    -- Read as a document: where ops.schedules keeps no history yet, no schedule has a fail streak.
    select
        'schedule_failing',
        page.row ->> 'name',
        'error',
        format(
            'The schedule %s has failed %s times in a row.',
            page.row ->> 'name', page.row ->> 'fail_streak'
        ),
        jsonb_build_object(
            'fail_streak', page.row -> 'fail_streak',
            'last_run_at', page.row -> 'last_run_at',
            'last_http_status', page.row -> 'last_http_status'
        )
    from (select to_jsonb(schedules) from ops.schedules) as page ("row")
    where (page.row ->> 'fail_streak')::integer >= ops.setting('schedule_fail_streak_max')::integer
        and coalesce((page.row ->> 'paused_until')::timestamptz < now(), true);
$$;
comment on function ops.find_schedule_causes() is
    'Causes schedule_failing: schedules that failed several times in a row and are not paused.';
revoke all on function ops.find_schedule_causes() from public, anon, authenticated;
