-- Every table and view of ours × every role × every verb, taken from the catalogue: what is not
-- on the list below must be refused. A new table fails here until its row is on the list and this
-- file fills it.
begin;
select plan(4);

-- Rows of Ann in every table; Bob has an account and nothing else.
select tap.new_user('ann') as ann, tap.new_user('bob') as bob
\gset
select tap.new_trader(:'ann', trigger => 'while') as trader
\gset
select tap.emit_at(
    tap.slot(),
    jsonb_build_array(tap.signal(:trader, 'BTCUSDT')),
    jsonb_build_object('overflow', jsonb_build_object(:trader::text, 3))
);
select tap.emit_at(
    tap.slot(1),
    '[]',
    jsonb_build_object('errors', jsonb_build_array(
        jsonb_build_object('trader_id', :trader, 'code', 'InvalidRule', 'message', 'expected …')
    ))
);
select ops.write_log('info', 'line_written');
select ops.raise_incident('backup_overdue', 'backup', 'warn', 'a warning');
insert into ops.local_secrets (name, value) values ('a_secret', 'sixteen characters');
insert into ops.schedule_runs (schedule, status, ended_at) values ('tick', 'succeeded', now());
select ops.record_backup(now(), '/backups/a.zip', 1, '{}', repeat('0', 64));
insert into ops.runs (venue, "interval", closed_at, origin)
values ('binance', '1m', tap.slot(9), 'live');
select public.add_usage('[{"reporter": "functions-1", "totals": {"redis_commands": 1}}]');

create temporary table relations as
select
    pg_class.oid,
    pg_class.oid::regclass::text as name,
    pg_class.relkind as kind
from pg_class
where pg_class.relnamespace in ('public'::regnamespace, 'ops'::regnamespace)
    and pg_class.relkind in ('r', 'p', 'v', 'm', 'f');

select is_empty(
    $$
    select name
    from relations
    where kind in ('r', 'p')
        and (xpath('/row/n/text()', query_to_xml(
            format('select count(*) as n from %s', name), false, true, ''
        )))[1]::text = '0'
    $$,
    'every table holds a row here, so that reading nothing means being refused'
);

create function pg_temp.probe(role_name text, user_id uuid)
returns table (who text, name text, verb text, result text)
language plpgsql
as $$
declare
    relation record;
    attribute record;
begin
    for relation in select relations.oid, relations.name from relations order by relations.name loop
        if user_id is null then
            perform tap.act_as_role(role_name);
        else
            perform tap.act_as(user_id);
        end if;
        who := role_name;
        name := relation.name;
        verb := 'select';
        result := tap.outcome_of(format('select from %s', name));
        return next;
        verb := 'insert';
        result := tap.outcome_of(format('insert into %s default values', name));
        return next;
        verb := 'delete';
        result := tap.outcome_of(format('delete from %s', name));
        return next;
        verb := 'truncate';
        result := tap.outcome_of(format('truncate %s cascade', name));
        return next;
        for attribute in
            select attname from pg_attribute
            where attrelid = relation.oid and attnum > 0 and not attisdropped
        loop
            verb := 'update ' || attribute.attname;
            result := tap.outcome_of(
                format('update %s set %2$I = default', name, attribute.attname)
            );
            return next;
        end loop;
        reset role;
    end loop;
end
$$;
create temporary table results (who text, name text, verb text, result text);
grant all on results, relations to public;

insert into results select * from pg_temp.probe('anon', null);
select is_empty(
    $$ select * from results where who = 'anon' and result not in ('denied', 'impossible') $$,
    'anon: nothing at all'
);

insert into results select * from pg_temp.probe('authenticated', :'bob');
select results_eq(
    $$
    select name, verb, result
    from results
    where who = 'authenticated' and result not in ('denied', 'impossible')
    order by name, verb
    $$,
    $$ values
        -- Everybody may know the tiers and how fresh the data is.
        ('public.feed_status', 'select', '1 rows'),
        ('public.profiles', 'select', '1 rows'),
        ('public.profiles', 'update display_name', '1 rows'),
        ('public.signal_overflows', 'select', '0 rows'),
        ('public.signals', 'select', '0 rows'),
        ('public.tiers', 'select', '3 rows'),
        ('public.trader_versions', 'select', '0 rows'),
        ('public.traders', 'delete', 'PT404'),
        ('public.traders', 'select', '0 rows'),
        ('public.traders', 'update enabled', 'PT404')
    $$,
    'another user: the own profile and what is everybody''s; writes to others'' rows are errors'
);

insert into results select * from pg_temp.probe('service_role', null);
select results_eq(
    $$
    select name, verb
    from results
    where who = 'service_role' and result not in ('denied', 'impossible')
    order by name, verb
    $$,
    $$ values
        ('public.feed_status', 'select'),
        ('public.profiles', 'select'),
        ('public.profiles', 'update is_admin'),
        ('public.profiles', 'update tier_id'),
        ('public.signal_overflows', 'select'),
        ('public.signals', 'select'),
        ('public.tiers', 'select'),
        ('public.trader_versions', 'select'),
        ('public.traders', 'select')
    $$,
    'the service: reads what users may read; it writes through routines'
);

select * from finish();
rollback;
