create or replace function public.claim_run(
    run_id bigint, claimed_by text, known_traders_revision bigint default null
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Take a run for run_lease_s, and get what is needed to do it:
-- {"claimed": true, "claim_token", "run": {…}, "due": {…}, "traders_revision",
-- "traders": null | […]}
-- or {"claimed": false, "reason": "finished" | "claimed" | "stopped"}.
-- `traders` is null if the caller's list of this shard (known_traders_revision) is current. A run
-- of one trader always gets that one, under revision -1, which is never current.
-- `due` names the cadences besides close that are due, and how many bars before the previous due
-- close was: a trader of another cadence is not evaluated at this close.
-- Of callers at the same moment one wins: the row is locked, others skip it.
declare
    run ops.runs;
    run_status text;
    traders_revision bigint;
    traders_json jsonb;
    due_json jsonb;
begin
    if ops.setting('signals_enabled') = 'off' then
        return jsonb_build_object('claimed', false, 'reason', 'stopped');
    end if;
    update ops.runs
    set
        status = 'claimed',
        attempt = runs.attempt + 1,
        claim_token = gen_random_uuid(),
        claimed_by = left(coalesce(nullif(claim_run.claimed_by, ''), 'unnamed'), 200),
        claimed_at = clock_timestamp(),
        lease_until = clock_timestamp()
            + make_interval(secs => ops.setting('run_lease_s')::integer)
    where runs.id = (
        select free.id
        from ops.runs as free
        where free.id = claim_run.run_id
            and case free.status
                when 'open' then true
                when 'claimed' then free.lease_until < clock_timestamp()
                when 'finished' then
                    not free.complete
                    and free.attempt < ops.setting('late_attempts_max')::integer
                else false
            end
        for update skip locked
    )
    returning runs.* into run;

    if run.id is null then
        select runs.status
        into run_status
        from ops.runs
        where runs.id = claim_run.run_id;
        if run_status is null then
            raise sqlstate 'PT404' using
                message = format('expected a run %s, found none', claim_run.run_id),
                hint = 'run_id';
        end if;
        return jsonb_build_object(
            'claimed', false,
            'reason', case
                when run_status in ('finished', 'failed') then 'finished'
                else 'claimed'
            end
        );
    end if;

    -- One statement, so that the list and its revision belong together.
    select
        case when run.trader_id is null then current.revision else -1 end,
        case
            when run.trader_id is not null
                or current.revision is distinct from known_traders_revision
            then ops.list_traders(
                run.venue, run."interval", run.shard, run.shard_count, run.trader_id
            )
        end,
        ops.list_due_cadences(run.venue, run."interval", run.closed_at)
    into traders_revision, traders_json, due_json
    from ops.traders_revision as current;
    return jsonb_build_object(
        'claimed', true,
        'claim_token', run.claim_token,
        'run', jsonb_build_object(
            'run_id', run.id,
            'venue', run.venue,
            'interval', run."interval",
            'closed_at_ms', ops.to_ms(run.closed_at),
            'shard', run.shard,
            'shard_count', run.shard_count,
            'trader_id', run.trader_id,
            'origin', run.origin,
            'attempt', run.attempt,
            'frame_revision', run.frame_revision,
            'missing_instruments', run.missing_instruments
        ),
        'due', due_json,
        'traders_revision', traders_revision,
        'traders', traders_json
    );
end
$$;
comment on function public.claim_run(bigint, text, bigint) is
    'Service only. Take a run for the time of a lease, with the traders to evaluate.';
revoke all on function public.claim_run(bigint, text, bigint) from public, anon, authenticated;
grant execute on function public.claim_run(bigint, text, bigint) to service_role;
