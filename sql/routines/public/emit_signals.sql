create or replace function public.emit_signals(run_id bigint, claim_token uuid, outcome jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Store the signals of a run and finish it, in one transaction; returns
-- {"inserted", "duplicates", "cooldown", "disabled", "overflow"}, counts.
-- The same call again (its reply was lost) changes nothing and returns the same. PT409 if the
-- token does not hold the run, PT503 while the kill switch is off: the run then stays open.
declare
    run ops.runs;
    given jsonb := ops.unwrap_json(outcome, 'outcome', 'object');
    counts jsonb;
    missing text[];
begin
    if ops.setting('signals_enabled') = 'off' then
        raise sqlstate 'PT503' using
            message = 'expected signals to be enabled, was switched off',
            hint = 'update ops.settings set value = ''on'' where name = ''signals_enabled'';';
    end if;
    run := ops.lock_claimed_run(emit_signals.run_id, emit_signals.claim_token);
    if run.status = 'finished' then
        return run.stats -> 'emitted';
    end if;
    given := ops.check_outcome(given);

    -- In order of id, before anything is read: `enabled`, cooldown and cap are judged on rows
    -- that no other emission, and no owner, can change until this one is stored.
    perform
    from public.traders
    where traders.id in (
        select (item ->> 'trader_id')::bigint from jsonb_array_elements(given -> 'signals') as item
        union
        select (item ->> 'trader_id')::bigint from jsonb_array_elements(given -> 'errors') as item
        union
        select overflow.trader_id::bigint
        from jsonb_object_keys(given -> 'overflow') as overflow (trader_id)
    )
    order by traders.id
    for no key update;

    counts := ops.insert_signals(run, given);
    perform ops.store_trader_errors(run, (given -> 'errors') || (counts -> 'errors'));
    counts := counts - 'errors';

    missing := array(select jsonb_array_elements_text(given -> 'missing_instruments'));
    update ops.runs
    set
        status = 'finished',
        finished_at = clock_timestamp(),
        lease_until = null,
        feed = given ->> 'feed',
        frame_revision = (given ->> 'frame_revision')::integer,
        complete = (given ->> 'complete')::boolean and cardinality(missing) = 0,
        missing_instruments = missing,
        traders_count = (given ->> 'traders_count')::integer,
        signals_count = runs.signals_count + (counts ->> 'inserted')::integer,
        stats = (given -> 'stats') || jsonb_build_object('emitted', counts),
        error = null
    where runs.id = run.id;
    return counts;
end
$$;
comment on function public.emit_signals(bigint, uuid, jsonb) is
    'Service only. Store a run''s signals and finish it in one transaction; returns counts.';
revoke all on function public.emit_signals(bigint, uuid, jsonb) from public, anon, authenticated;
grant execute on function public.emit_signals(bigint, uuid, jsonb) to service_role;
