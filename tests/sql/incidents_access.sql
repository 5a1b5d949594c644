-- Incidents are for operators: others see no row and may do nothing.
begin;
select plan(23);

select tap.new_user('ann') as ann, tap.new_user('olga') as olga
\gset
update public.profiles set is_admin = true where user_id = :'olga';
select ops.raise_incident('budget_exceeded', 'redis', 'warn', 'a warning') as warning
\gset
select ops.raise_incident('backup_overdue', 'backup', 'error', 'an error') as error
\gset

-- Who may call what: the two of the API for signed-in users, everything else for nobody.
create function pg_temp.outcomes(role_name text) returns setof text language plpgsql as $$
declare
    call text;
begin
    perform tap.act_as_role(role_name);
    foreach call in array array[
        'public.list_incidents()', 'public.acknowledge_incident(1)', 'ops.watch()',
        'ops.watch_if_late()', 'ops.raise_incident(''backup_overdue'', ''b'', ''warn'', ''m'')',
        'ops.acknowledge_incident(1)', 'ops.close_incident(1)', 'ops.close_quiet_incidents()',
        'ops.ping_deadman()', 'ops.is_operator()', 'ops.cron_started_at()', 'ops.note_look(true)',
        'ops.find_slot_causes()', 'ops.find_feed_causes()', 'ops.find_schedule_causes()',
        'ops.find_outbox_causes()', 'ops.find_cron_causes()', 'ops.find_request_causes()',
        'ops.find_budget_causes()', 'ops.find_backup_causes()'
    ] loop
        return next format('%s %s', split_part(call, '(', 1), tap.outcome_of('select ' || call));
    end loop;
    reset role;
end
$$;
create temporary table outcomes (role_name text, outcome text);
grant all on outcomes to public;
insert into outcomes select 'anon', pg_temp.outcomes('anon');
insert into outcomes select 'service_role', pg_temp.outcomes('service_role');
insert into outcomes select 'authenticated', pg_temp.outcomes('authenticated');
select is_empty(
    $$ select * from outcomes where role_name = 'anon' and outcome not like '% denied' $$,
    'anon: nothing'
);
select is_empty(
    $$ select * from outcomes where role_name = 'service_role' and outcome not like '% denied' $$,
    'the service: nothing'
);
select results_eq(
    $$
    select outcome from outcomes
    where role_name = 'authenticated' and outcome not like '% denied'
    order by 1
    $$,
    $$ values ('public.acknowledge_incident PT403'), ('public.list_incidents 0 rows') $$,
    'a token that names no user: no row, no right'
);

select tap.act_as(:'ann');
select is_empty('select * from public.list_incidents()', 'an ordinary user: no row');
select throws_ok(
    format('select public.acknowledge_incident(%s, ''x'')', :warning), 'PT403',
    'expected an operator, was another user', 'and no right'
);
select throws_ok(
    'select public.acknowledge_incident(-1)', 'PT403', null,
    'who does not learn which ids there are'
);
select throws_ok(
    format('update public.profiles set is_admin = true where user_id = %L', :'ann'), '42501', null,
    'nor becomes an operator'
);
select throws_ok('select * from ops.incidents', '42501', null, 'nor reads the table');
select throws_ok('select * from ops.watch_state', '42501', null, 'nor what the watch remembers');
select throws_ok('select * from ops.slot_counts', '42501', null, 'nor counts slots');
reset role;
select is(acknowledged_at, null, 'nothing was acknowledged') from ops.incidents where id = :warning;

select tap.act_as(:'olga');
select results_eq(
    'select id, kind, subject, severity, message from public.list_incidents()',
    format(
        'values (%s::bigint, ''backup_overdue'', ''backup'', ''error'', ''an error''),'
        ' (%s, ''budget_exceeded'', ''redis'', ''warn'', ''a warning'')',
        :error, :warning
    ),
    'an operator: what is open, errors first'
);
select is(
    public.acknowledge_incident(:warning, 'on it') ->> 'acknowledged_by', 'olga@example.org',
    'may acknowledge, by name'
);
select results_eq(
    'select acknowledged_by, note from public.list_incidents() where acknowledged_at is not null',
    $$ values ('olga@example.org', 'olga@example.org: on it') $$,
    'as everybody who looks sees'
);
select throws_ok('select public.acknowledge_incident(-1)', 'PT404');
select throws_ok(
    format('select public.acknowledge_incident(%s, repeat(''x'', 501))', :warning), 'PT400'
);
select lives_ok(
    format('select public.acknowledge_incident(%s, null)', :error), 'a note is not needed'
);
select throws_ok('select * from ops.incidents', '42501', null, 'the table stays private');
reset role;
select ops.close_incident(:warning);
update public.profiles set display_name = 'Olga' where user_id = :'olga';
select tap.act_as(:'olga');
select results_eq(
    'select id from public.list_incidents()', array[:error::bigint], 'closed ones are not listed'
);
select throws_ok(format('select public.acknowledge_incident(%s)', :warning), 'PT409');
reset role;
select ops.raise_incident('budget_exceeded', 'redis', 'warn', 'again') as again
\gset
select tap.act_as(:'olga');
select is(
    public.acknowledge_incident(:again) ->> 'acknowledged_by', 'Olga', 'the name that was chosen'
);
reset role;
update public.profiles set is_admin = false where user_id = :'olga';
select tap.act_as(:'olga');
select is_empty('select * from public.list_incidents()', 'who is no operator any more sees no row');
select throws_ok(format('select public.acknowledge_incident(%s)', :again), 'PT403');

select * from finish();
rollback;
