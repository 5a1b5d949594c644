-- claim_run hands a run to one holder, with what is needed to carry it out.
begin;
select plan(18);

select tap.new_user('ann', 'pro') as ann
\gset
select tap.new_trader(:'ann', cooldown_s => 60) as trader,
    tap.new_trader(:'ann', enabled => false) as disabled,
    tap.new_trader(:'ann', "interval" => '5m') as elsewhere
\gset
select tap.act_as_role('service_role');
select tap.claim(tap.slot()) as claim
\gset
reset role;
select id as run_id from ops.runs
\gset
select is(:'claim'::jsonb -> 'claimed', 'true', 'claimed');
select is(
    :'claim'::jsonb -> 'run',
    jsonb_build_object(
        'run_id', :run_id, 'venue', 'binance', 'interval', '1m',
        'closed_at_ms', tap.ms(tap.slot()), 'shard', 0, 'shard_count', 1, 'trader_id', null,
        'origin', 'live', 'attempt', 1, 'frame_revision', null, 'missing_instruments', '[]'::jsonb
    ),
    'the run'
);
select is(
    :'claim'::jsonb -> 'traders',
    jsonb_build_array(jsonb_build_object(
        'id', :trader, 'user_id', :'ann', 'rule', 'rsi(14) < 30', 'universe', null,
        'trigger', 'while', 'cooldown_s', 60, 'cadence', 'close', 'version', 1,
        'enabled_at_ms', tap.ms(now() - interval '1 day'), 'signals_per_close_max', 50
    )),
    'the enabled traders of the interval, with the cap of their tier'
);
select is(
    public.claim_run(:run_id, 'another'), '{"claimed": false, "reason": "claimed"}',
    'nobody else gets it'
);
select throws_ok('select public.claim_run(-1, ''test'')', 'PT404');

update ops.runs set lease_until = now() - interval '1 second';
select (:'claim'::jsonb ->> 'traders_revision')::bigint as revision
\gset
select public.claim_run(:run_id, 'another', :revision) as again
\gset
select is(:'again'::jsonb -> 'claimed', 'true', 'after its lease it is free');
select is(:'again'::jsonb -> 'run' -> 'attempt', '2', 'the second attempt');
select is(:'again'::jsonb -> 'traders', 'null', 'who knows the revision gets no list');
select is(claimed_by, 'another', 'the holder is on record') from ops.runs where id = :run_id;
select throws_ok(
    format('select tap.emit(%L)', :'claim'), 'PT409', null,
    'the first holder can not store any more'
);

update public.traders set enabled = true where id = :disabled;
update ops.runs set lease_until = now() - interval '1 second';
select public.claim_run(:run_id, 'another', :revision) as third
\gset
select is(
    jsonb_array_length(:'third'::jsonb -> 'traders'), 2,
    'who knows an old revision gets the new list'
);

select tap.emit(:'third');
select is(
    public.claim_run(:run_id, 'test'), '{"claimed": false, "reason": "finished"}',
    'finished is over'
);
update ops.runs set complete = false, missing_instruments = '{ETHUSDT}';
select public.claim_run(:run_id, 'test') as late
\gset
select is(:'late'::jsonb -> 'claimed', 'true', 'unless instruments are missing');
select is(
    :'late'::jsonb -> 'run' -> 'missing_instruments', '["ETHUSDT"]', 'then it says which'
);
select is(:'late'::jsonb -> 'run' -> 'frame_revision', '1', 'and in what they were missing');
select public.fail_run(:run_id, (:'late'::jsonb ->> 'claim_token')::uuid, 'no news');
update ops.runs set attempt = 10;
select is(
    public.claim_run(:run_id, 'test'), '{"claimed": false, "reason": "finished"}',
    'late_attempts_max is the end of it'
);
update ops.runs set attempt = 1;
update ops.settings set value = 'off' where name = 'signals_enabled';
select is(
    public.claim_run(:run_id, 'test'), '{"claimed": false, "reason": "stopped"}', 'the kill switch'
);
select is(attempt, 1, 'costs no attempt') from ops.runs where id = :run_id;

select * from finish();
rollback;
