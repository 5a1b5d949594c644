create or replace function public.fail_run(run_id bigint, claim_token uuid, error text)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Give a run back with the reason; the next tick names it again. After run_attempts_max claims it
-- fails for good. A run that had finished before goes back to finished, its late attempt spent.
-- An attempt that found no data (StaleData) does not count: after an outage of the collector the
-- slots must still be there; ops.rescue_runs ends those whose data is gone for good.
-- The same call again changes nothing. PT409 if the token does not hold the run.
declare
    run ops.runs := ops.lock_claimed_run(fail_run.run_id, fail_run.claim_token);
begin
    if run.status <> 'claimed' then
        return '{}'::jsonb;
    end if;
    update ops.runs
    set
        status = case
            when run.finished_at is not null then 'finished'
            when starts_with(fail_run.error, 'StaleData') then 'open'
            when run.attempt >= ops.setting('run_attempts_max')::integer then 'failed'
            else 'open'
        end,
        attempt = run.attempt - coalesce(starts_with(fail_run.error, 'StaleData'), false)::integer,
        lease_until = null,
        error = left(coalesce(fail_run.error, 'no reason given'), 2000)
    where runs.id = run.id;
    return '{}'::jsonb;
end
$$;
comment on function public.fail_run(bigint, uuid, text) is
    'Service only. Give a run back with the reason of its failure; returns {}.';
revoke all on function public.fail_run(bigint, uuid, text) from public, anon, authenticated;
grant execute on function public.fail_run(bigint, uuid, text) to service_role;
