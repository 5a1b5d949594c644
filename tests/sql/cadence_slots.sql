-- Slots are made only where somebody is due; claims say who is; double ticks change nothing.
begin;
select plan(24);

-- Long ago, so that the closes are known by name: a Monday, 12:00.
create function pg_temp.at(clock text) returns timestamptz language sql as $$
    select ('2026-11-16 ' || clock || 'Z')::timestamptz;
$$;
select tap.new_user('ann', 'pro') as ann
\gset
select tap.new_trader(:'ann', 'thirds', "interval" => '5m') as thirds,
    tap.new_trader(:'ann', 'hourly', "interval" => '5m') as hourly,
    tap.new_trader(:'ann', 'asleep', "interval" => '1m', enabled => false) as asleep
\gset
update public.traders set cadence = 'every 3 closes' where id = :thirds;
update public.traders set cadence = '0 * * * *' where id = :hourly;
update public.traders set enabled_at = pg_temp.at('10:50') where id in (:thirds, :hourly);

select results_eq(
    'select "interval", cadence, since from ops.cadences order by 1, 2',
    $$ values
        ('5m', '0 * * * *', pg_temp.at('10:50')), ('5m', 'every 3 closes', pg_temp.at('10:50')) $$,
    'distinct cadences of the enabled'
);
select is(ops.open_due_slots(pg_temp.at('12:04:59')), 5, 'a tick makes what is owed');
select is(ops.open_due_slots(pg_temp.at('12:04:59')), 0, 'a second one nothing');
select results_eq(
    'select closed_at from ops.runs order by closed_at',
    $$ values
        (pg_temp.at('11:00')), (pg_temp.at('11:15')), (pg_temp.at('11:30')),
        (pg_temp.at('11:45')), (pg_temp.at('12:00')) $$,
    'no slot without a due trader'
);
delete from ops.runs where closed_at = pg_temp.at('11:30');
select is(ops.open_due_slots(pg_temp.at('12:05')), 1, 'a gap behind newer slots is found');
delete from ops.runs;
update public.traders set enabled_at = pg_temp.at('11:46') where id = :thirds;
select ops.open_due_slots(pg_temp.at('12:00'));
select results_eq(
    'select closed_at from ops.runs order by closed_at',
    $$ values (pg_temp.at('11:00')), (pg_temp.at('12:00')) $$,
    'each cadence since its own traders are enabled'
);

-- The poke.
select is(
    public.open_slot('binance', '5m', tap.ms(pg_temp.at('12:05'))), '{"runs": []}',
    'a poke makes no slot at which nobody is due'
);
select is(
    jsonb_array_length(public.open_slot('binance', '5m', tap.ms(pg_temp.at('12:15'))) -> 'runs'),
    1, 'and one where somebody is'
);
select is(
    public.open_slot('binance', '5m', tap.ms(pg_temp.at('12:15')), :hourly), '{"runs": []}',
    'none for a trader that is not due'
);
select is(
    jsonb_array_length(
        public.open_slot('binance', '5m', tap.ms(pg_temp.at('12:15')), :thirds) -> 'runs'
    ),
    1, 'one for a trader that is'
);

-- The claim.
create function pg_temp.claim(clock text, known bigint default null) returns jsonb
language sql as $$
    select public.claim_run(id, 'test', known)
    from ops.runs where closed_at = pg_temp.at(clock) and trader_id is null;
$$;
select pg_temp.claim('12:00') as noon, pg_temp.claim('12:15') as quarter
\gset
select is(
    :'noon'::jsonb -> 'due', '{"every 3 closes": 3, "0 * * * *": 12}',
    'who is due, and how many bars before the previous due close was'
);
select is(:'quarter'::jsonb -> 'due', '{"every 3 closes": 3}', 'at another close others');
select is(
    (select jsonb_agg(t -> 'cadence' order by t -> 'id')
        from jsonb_array_elements(:'quarter'::jsonb -> 'traders') as t),
    '["every 3 closes", "0 * * * *"]',
    'the list holds the whole shard, so that it may be kept'
);
update ops.runs set status = 'open', lease_until = null where closed_at = pg_temp.at('12:15');
select pg_temp.claim('12:15', (:'quarter'::jsonb ->> 'traders_revision')::bigint) as known
\gset
select is(:'known'::jsonb -> 'traders', 'null', 'who keeps the list gets none');
select is(:'known'::jsonb -> 'due', '{"every 3 closes": 3}', 'but who is due all the same');
select is(
    (select revision from ops.traders_revision),
    (:'quarter'::jsonb ->> 'traders_revision')::bigint, 'nothing changed meanwhile'
);
update public.traders set cadence = 'every 2 closes' where id = :thirds;
select isnt(
    (select revision from ops.traders_revision),
    (:'quarter'::jsonb ->> 'traders_revision')::bigint, 'another cadence makes lists old'
);

-- With a trader of each close, every close is a slot.
delete from ops.runs;
select tap.new_trader(:'ann', 'each', "interval" => '5m') as each
\gset
update public.traders set enabled_at = pg_temp.at('11:50') where id = :each;
select ops.open_due_slots(pg_temp.at('12:05'));
select results_eq(
    'select closed_at from ops.runs order by closed_at',
    $$ values
        (pg_temp.at('11:00')), (pg_temp.at('11:50')), (pg_temp.at('11:55')),
        (pg_temp.at('12:00')), (pg_temp.at('12:05')) $$,
    'each close since it is enabled, and those of the others before'
);

-- The ledger.
delete from ops.runs;
delete from public.traders where id in (:each, :hourly);
update public.traders
set "interval" = '1m', cadence = 'every 7 closes', enabled_at = now() - interval '1 hour'
where id = :thirds;
update public.traders set enabled_at = now() - interval '1 hour' where id = :thirds;
select results_eq(
    $$ select closed_at from ops.slots_missing order by 1 $$,
    $$ select ops.due_closes(
        'every 7 closes', '1m', now() - interval '1 hour', now() - interval '90 seconds') $$,
    'missing slots are those that are owed'
);
select cmp_ok((select count(*) from ops.slots_missing), '>=', 7::bigint, 'and there are some');
select ops.tick();
select is_empty($$ select from ops.slots_missing where status = 'missing' $$, 'until a tick');

-- Who may look.
select tap.act_as(:'ann');
select throws_ok('select * from ops.cadences', '42501', null, 'users see nothing of it');
select tap.act_as_role('anon');
select throws_ok('select ops.is_due(''close'', ''1m'', now())', '42501', null, 'nor ask');
select tap.act_as_role('service_role');
select throws_ok('select * from ops.cadences', '42501', null, 'the service neither');
reset role;

select * from finish();
rollback;
