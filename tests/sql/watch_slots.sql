-- A slot that is missing or unfinished 90 s after its close is one warning, once.
begin;
select plan(8);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
update public.traders set enabled_at = tap.slot(6);
select is_empty(
    $$ select from ops.slots_missing where closed_at > now() - interval '90 seconds' $$,
    'the newest slots are given time'
);
select tap.emit_at(tap.slot(6)), tap.emit_at(tap.slot(5)), tap.claim(tap.slot(4));
update ops.runs set opened_at = closed_at;

select results_eq(
    $$ select closed_at, status from ops.slots_missing where closed_at < tap.slot(2) order by 1 $$,
    $$ values (tap.slot(4), 'claimed'), (tap.slot(3), 'missing') $$,
    'unfinished and missing slots; not the finished'
);
select ok(ops.watch_slots() >= 2, 'lines are written');
select is(ops.watch_slots(), 0, 'once');
select results_eq(
    format(
        'select level, source, fields ->> ''status'', run_id is null from ops.function_logs'
        ' where event = ''slot_missed'' and fields ->> ''slot'' = %L',
        'binance 1m ' || to_char(tap.slot(3) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ),
    $$ values ('warn', 'postgres', 'missing', true) $$,
    'one warning names the slot'
);
select ok(
    fields ->> 'status' = 'claimed' and run_id is not null, 'or the run that did not finish'
)
from ops.function_logs
where event = 'slot_missed' and run_id is not null;
update public.traders set enabled_at = now();
select is_empty(
    $$ select from ops.slots_missing where status = 'missing' $$,
    'closes before a trader was enabled are not missed'
);
update ops.runs set opened_at = now() where closed_at = tap.slot(4);
select is_empty(
    $$ select from ops.slots_missing where closed_at = tap.slot(4) $$,
    'a slot that was opened late is given time as well'
);

select * from finish();
rollback;
