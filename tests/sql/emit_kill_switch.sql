-- With signals_enabled off nothing is stored, and runs stay open for later.
begin;
select plan(5);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
select tap.claim(tap.slot()) as claim
\gset
update ops.settings set value = 'off' where name = 'signals_enabled';
select throws_ok(
    format('select tap.emit(%L, %L)', :'claim', jsonb_build_array(tap.signal(:trader, 'BTCUSDT'))),
    'PT503', 'expected signals to be enabled, was switched off'
);
select is_empty('select from public.signals', 'nothing stored');
select is(status, 'claimed', 'the run is not finished') from ops.runs;
select lives_ok(
    format(
        'select public.fail_run(%s, %L, ''stopped'')',
        :'claim'::jsonb -> 'run' ->> 'run_id', :'claim'::jsonb ->> 'claim_token'
    ),
    'it can be given back'
);
update ops.settings set value = 'on' where name = 'signals_enabled';
select is(
    tap.emit_at(tap.slot(), jsonb_build_array(tap.signal(:trader, 'BTCUSDT'))) ->> 'inserted', '1',
    'switched on again, the same slot is carried out'
);

select * from finish();
rollback;
