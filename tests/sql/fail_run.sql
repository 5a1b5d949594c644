-- A run that could not be carried out goes back with the reason; after twenty claims it fails.
begin;
select plan(12);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
create function pg_temp.fail(claim jsonb, reason text) returns jsonb language sql as $$
    select public.fail_run(
        (claim -> 'run' ->> 'run_id')::bigint, (claim ->> 'claim_token')::uuid, reason
    );
$$;
select tap.claim(tap.slot()) as claim
\gset
select is(pg_temp.fail(:'claim', 'StoreUnavailable: no answer'), '{}', 'given back');
select results_eq(
    'select status, attempt, error, lease_until from ops.runs',
    $$ values ('open', 1, 'StoreUnavailable: no answer', null::timestamptz) $$,
    'open, with the reason'
);
select is(pg_temp.fail(:'claim', 'again'), '{}', 'the same call again');
select is(error, 'StoreUnavailable: no answer', 'changes nothing') from ops.runs;

select tap.claim(tap.slot()) as second
\gset
select throws_ok(
    format('select pg_temp.fail(%L, ''x'')', :'claim'), 'PT409', null,
    'an old token gives back nothing'
);
select pg_temp.fail(:'second', 'StaleData: expected a frame of 1m, found none');
select results_eq(
    'select status, attempt from ops.runs', $$ values ('open', 1) $$,
    'no data is no attempt: the slot outlives an outage of the collector'
);

update ops.runs set attempt = 19;
select pg_temp.fail(tap.claim(tap.slot()), 'DeadlineExceeded: …');
select is(status, 'failed', 'the twentieth claim is the last') from ops.runs;
select is(
    tap.claim(tap.slot()) - 'run', '{"claimed": false, "reason": "finished"}',
    'nobody gets it again'
);
select throws_ok(
    format('select pg_temp.fail(%L, ''x'')', :'second'), 'PT409', null, 'and no token fits'
);

-- One that had finished loses its late attempt, not what it had stored.
select tap.emit_at(tap.slot(1), '[]', '{"complete": false, "missing_instruments": ["X"]}');
select pg_temp.fail(tap.claim(tap.slot(1)), 'DeadlineExceeded: …');
select results_eq(
    $$ select status, complete, attempt from ops.runs where closed_at = tap.slot(1) $$,
    $$ values ('finished', false, 2) $$, 'finished, incomplete'
);
select is(
    pg_temp.fail(tap.claim(tap.slot(2)), repeat('x', 5000)), '{}', 'a long reason is cut'
);
select is(length(error), 2000, 'to what fits') from ops.runs where closed_at = tap.slot(2);

select * from finish();
rollback;
