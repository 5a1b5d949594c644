-- The dead-man URL is called while no error is open: once a minute, by the schedule only.
begin;
select plan(15);

delete from net.http_request_queue;
create function pg_temp.calls() returns bigint language sql as $$
    select count(*) from net.http_request_queue where url = 'https://ping.example/a-token';
$$;
select is(ops.watch() -> 'pinged', 'false', 'without a URL nobody is called');
select is(pinged_at, null, 'and nothing is remembered') from ops.watch_state;

select ops.store_secret('deadman_url', 'https://ping.example/a-token');
select is(ops.watch() -> 'pinged', 'true', 'all is well: called');
select is(pg_temp.calls(), 1::bigint, 'once');
select is(method, 'GET', 'as a GET') from net.http_request_queue;
select is(ops.watch() -> 'pinged', 'false', 'not twice in a minute');
update ops.watch_state set pinged_at = date_trunc('minute', now()) - interval '1 second';
select is(ops.watch(false) -> 'pinged', 'false', 'a look in place of the schedule calls nobody');
select is(ops.watch() -> 'pinged', 'true', 'the next minute does');

update ops.watch_state set pinged_at = now() - interval '1 hour';
select ops.raise_incident('backup_overdue', 'backup', 'warn', 'old') as warning
\gset
select is(ops.watch() -> 'pinged', 'true', 'a warning is no error');
update ops.watch_state set pinged_at = now() - interval '1 hour';
select ops.raise_incident('backup_overdue', 'backup', 'error', 'older');
select is(ops.watch() -> 'pinged', 'false', 'an error stops the calls');
select ops.acknowledge_incident(:warning);
select is(ops.watch() -> 'pinged', 'false', 'an acknowledged one, too');
select ops.close_incident(:warning);
select is(ops.watch() -> 'pinged', 'true', 'a closed one does not');

-- Nobody can read it but through ops.secret.
select is_empty(
    $$
        select from ops.settings where to_jsonb(settings)::text like '%a-token%'
        union all
        select from ops.audit where to_jsonb(audit)::text like '%a-token%'
        union all
        select from ops.log_lines where to_jsonb(log_lines)::text like '%a-token%'
        union all
        select where ops.status()::text like '%a-token%'
    $$,
    'no setting, no audit, no log and no status shows it'
);

-- What goes wrong is logged without the URL.
update ops.watch_state set pinged_at = now() - interval '1 hour';
alter function net.http_get(text, jsonb, jsonb, integer) rename to http_got;
select is(ops.watch() -> 'pinged', 'false', 'without pg_net nobody is called');
select results_eq(
    $$ select level, event, fields from ops.function_logs where event = 'deadman_failed' $$,
    $$ values ('error', 'deadman_failed', '{"code": "42883"}'::jsonb) $$,
    'and the log has the code alone'
);

select * from finish();
rollback;
