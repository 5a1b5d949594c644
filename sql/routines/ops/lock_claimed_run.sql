create or replace function ops.lock_claimed_run(run_id bigint, claim_token uuid)
returns ops.runs
language plpgsql
security definer
set search_path = ''
as $$
-- Return a run for its holder and lock it; PT404 if there is none, PT409 if somebody else holds
-- it or it is over. A holder whose lease has ended is still the holder until another claims.
declare
    run ops.runs;
begin
    select runs.*
    into run
    from ops.runs
    where runs.id = lock_claimed_run.run_id
    for update;
    if run.id is null then
        raise sqlstate 'PT404' using
            message = format('expected a run %s, found none', run_id),
            hint = 'run_id';
    end if;
    if run.claim_token is distinct from lock_claimed_run.claim_token or run.status = 'failed' then
        raise sqlstate 'PT409' using
            message = format(
                'expected run %s to be held with this token, was %s by %s',
                run_id, run.status, coalesce(run.claimed_by, 'nobody')
            ),
            hint = 'claim the run anew';
    end if;
    return run;
end
$$;
comment on function ops.lock_claimed_run(bigint, uuid) is
    'A run, locked, for the holder of its claim token; PT404, PT409.';
revoke all on function ops.lock_claimed_run(bigint, uuid) from public, anon, authenticated;
