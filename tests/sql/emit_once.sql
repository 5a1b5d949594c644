-- Signals happen once: repeated calls, repeated attempts and repeated rows add nothing.
begin;
select plan(11);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
select jsonb_build_array(
    tap.signal(:trader, 'BTCUSDT'), tap.signal(:trader, 'ETHUSDT'), tap.signal(:trader, 'BTCUSDT')
) as signals
\gset
select tap.claim(tap.slot()) as claim
\gset
select tap.act_as_role('service_role');
select tap.emit(:'claim', :'signals') as counts
\gset
reset role;
select is(
    :'counts'::jsonb,
    '{"inserted": 2, "duplicates": 1, "cooldown": 0, "disabled": 0, "overflow": 0}',
    'the same row twice in one outcome is one signal'
);
select is(tap.emit(:'claim', :'signals'), :'counts'::jsonb, 'the same call again: the same reply');
select is((select count(*) from public.signals), 2::bigint, 'and no signal more');
select is((select count(*) from ops.outbox), 2::bigint, 'and no notification more');
select throws_ok(
    format(
        'select public.emit_signals(%s, %L, ''{}'')',
        :'claim'::jsonb -> 'run' ->> 'run_id', gen_random_uuid()
    ),
    'PT409', null, 'another token stores nothing'
);
select throws_ok(
    format('select public.emit_signals(-1, %L, ''{}'')', gen_random_uuid()), 'PT404'
);

-- Stored, but the row says unfinished (as after a restore): the work is done again.
update ops.runs
set status = 'claimed', finished_at = null, lease_until = now(), feed = null;
select is(
    tap.emit(:'claim', :'signals') ->> 'duplicates', '3', 'a whole second evaluation: duplicates'
);
select is((select count(*) from public.signals), 2::bigint, 'still two');
select results_eq(
    'select status, signals_count, traders_count, feed, complete, stats -> ''load_ms'''
    ' from ops.runs',
    $$ values ('finished', 2, 1, 'simulated', true, '1.5'::jsonb) $$,
    'the run is finished in the same transaction'
);
select results_eq(
    'select price, origin, feed, rule_version, frame_revision, data_age_ms, user_id'
    ' from public.signals where instrument = ''BTCUSDT''',
    format(
        'values (101.25::numeric, ''live'', ''simulated'', 1, 1, 500::bigint, %L::uuid)', :'ann'
    ),
    'with all that explains the signal'
);
-- As some REST servers pass it.
select tap.claim(tap.slot(1)) as earlier
\gset
select is(
    public.emit_signals(
        (:'earlier'::jsonb -> 'run' ->> 'run_id')::bigint,
        (:'earlier'::jsonb ->> 'claim_token')::uuid,
        to_jsonb(
            '{"feed": "live", "frame_revision": 1, "complete": true, "evaluated_at_ms": 0}'::text
        )
    ) ->> 'inserted',
    '0', 'an outcome that arrives as a JSON string'
);

select * from finish();
rollback;
