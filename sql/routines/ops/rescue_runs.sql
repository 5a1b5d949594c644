create or replace function ops.rescue_runs(at timestamptz default now())
returns integer
language plpgsql
security definer
set search_path = ''
as $$
-- Free runs whose holder has been silent beyond its lease, and give up on runs that were tried
-- too often or whose data is gone. A run that had finished once only loses its late attempt.
-- Returns how many rows changed; each is a line in ops.function_logs.
declare
    rescued_count integer;
begin
    with stale as (
        select
            runs.id,
            case
                when runs.finished_at is not null then 'finished'
                when runs.attempt >= (select ops.setting('run_attempts_max')::integer) then 'failed'
                when runs.opened_at < at - make_interval(
                    secs => ops.interval_s(runs."interval")
                    * (select ops.setting('catch_up_slots_max')::integer)
                ) then 'failed'
                else 'open'
            end as next_status
        from ops.runs
        where runs.status = 'open' or (runs.status = 'claimed' and runs.lease_until < at)
        order by runs.id
        for update skip locked
    ),
    rescued as (
        update ops.runs
        set
            status = stale.next_status,
            lease_until = null,
            error = case stale.next_status
                when 'failed' then left(
                    coalesce('gave up; before: ' || runs.error, 'gave up: never finished'), 2000
                )
                else format('rescued: %s was silent for its whole lease', runs.claimed_by)
            end
        from stale
        where runs.id = stale.id and runs.status <> stale.next_status
        returning runs.id, runs.status, runs.attempt, runs.error
    ),
    logged as (
        insert into ops.function_logs (source, level, event, run_id, fields)
        select
            'postgres',
            case rescued.status when 'failed' then 'error' else 'warn' end,
            case rescued.status when 'failed' then 'run_failed' else 'run_rescued' end,
            rescued.id,
            jsonb_build_object('attempt', rescued.attempt, 'error', rescued.error)
        from rescued
        returning function_logs.id
    )
    select count(*)
    into rescued_count
    from logged;
    return rescued_count;
end
$$;
comment on function ops.rescue_runs(timestamptz) is
    'Scheduled each minute: free runs whose lease ended, fail those beyond hope; returns how many.';
revoke all on function ops.rescue_runs(timestamptz) from public, anon, authenticated;
