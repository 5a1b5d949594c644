-- requests_silent: the same request stays the oldest of pg_net's queue.
begin;
select plan(7);

delete from net.http_request_queue;
select net.http_get('http://127.0.0.1:9/') as first
\gset
select ops.watch();
select is(oldest_request_id, :first::bigint, 'the oldest is noted') from ops.watch_state;
update ops.watch_state set oldest_request_since = now() - interval '89 seconds';
select is((ops.watch() ->> 'open')::integer, 0, 'it is given time');
update ops.watch_state set oldest_request_since = now() - interval '90 seconds';
select ops.watch();
select results_eq(
    'select kind, subject, severity from ops.incidents',
    $$ values ('requests_silent', 'pg_net', 'error') $$,
    'the worker is silent'
);

-- Another one is the oldest now: the worker works, however long the queue.
select net.http_get('http://127.0.0.1:9/');
delete from net.http_request_queue where id = :first;
update ops.incidents set last_seen_at = now() - interval '121 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'closed when the queue moves again');
select is(oldest_request_since, now(), 'the next one begins anew') from ops.watch_state;
delete from net.http_request_queue;
select ops.watch();
select ok(oldest_request_id is null and oldest_request_since is null, 'an empty queue is well')
from ops.watch_state;
select is_empty('select ops.find_request_causes()', 'and no cause');

select * from finish();
rollback;
