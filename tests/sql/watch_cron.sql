-- cron_silent: who comes by without cron looks in its place, and at the second look says so.
begin;
select plan(16);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
-- Owed nothing: only cron is to be abnormal here.
update public.traders set enabled_at = now();
delete from cron.job_run_details;
create function pg_temp.poke() returns void language sql as $$
    select public.open_slot('binance', '1m', tap.ms(tap.slot()));
$$;
create function pg_temp.minutes_pass(minutes integer) returns void language sql as $$
    update ops.watch_state
    set watched_at = watched_at - make_interval(mins => minutes),
        scheduled_at = scheduled_at - make_interval(mins => minutes),
        late_since = late_since - make_interval(mins => minutes);
$$;

select ops.watch();
select pg_temp.minutes_pass(1);
select pg_temp.poke();
select ok(late_since is null and watched_at < now(), 'a minute: the schedule is on time, no look')
from ops.watch_state;

select pg_temp.minutes_pass(1);
select pg_temp.poke();
select ok(
    late_since = now() and watched_at = now() and scheduled_at = now() - interval '2 minutes',
    'two minutes: the poke looks in its place'
)
from ops.watch_state;
select is_empty('select from ops.incidents', 'its first look raises nothing: cron may just come');
update ops.watch_state set watched_at = now() - interval '10 seconds';
select pg_temp.poke();
select is(watched_at, now() - interval '10 seconds', 'one look a minute is enough')
from ops.watch_state;
update ops.watch_state set watched_at = now();

select pg_temp.minutes_pass(1);
select pg_temp.poke();
select results_eq(
    'select kind, subject, severity from ops.incidents',
    $$ values ('cron_silent', 'pg_cron', 'error') $$,
    'three minutes: cron is silent'
);
select is((details ->> 'started_at')::timestamptz, now() - interval '3 minutes', 'since then')
from ops.incidents;

-- Other jobs of cron run: then it is not silent, whatever became of this one.
insert into cron.job_run_details (jobid, runid, start_time, status)
values (1, 1, now() - interval '10 seconds', 'succeeded');
select is_empty('select ops.find_cron_causes()', 'cron that starts other jobs is not silent');
update cron.job_run_details set start_time = now() - interval '1 day';
select isnt_empty('select ops.find_cron_causes()', 'those of yesterday do not count');

-- The dashboard of an operator looks as well.
update ops.incidents set last_seen_at = now() - interval '1 minute';
select pg_temp.minutes_pass(1);
update public.profiles set is_admin = true;
select tap.act_as(:'ann');
select results_eq(
    'select kind from public.list_incidents()', array['cron_silent'], 'as an operator sees it'
);
reset role;
select is(last_seen_at, now(), 'who looked by asking') from ops.incidents;

-- Cured: cron runs the schedule again.
update ops.incidents set last_seen_at = now() - interval '121 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'the schedule is back: closed');
select is(late_since, null, 'and on time again') from ops.watch_state;

-- A look that fails is told of, and does not hold up the poke.
select pg_temp.minutes_pass(2);
alter table ops.watch_state add constraint broken check (watched_at < now()) not valid;
select lives_ok('select pg_temp.poke()', 'the poke is served all the same');
select results_eq(
    'select kind, subject, severity from ops.incidents where closed_at is null',
    $$ values ('schedule_failing', 'watch', 'error') $$,
    'a watch that fails is an incident itself'
);
select ok(message like '%"broken"%', 'with the reason') from ops.incidents where closed_at is null;
alter table ops.watch_state drop constraint broken;
update ops.incidents set last_seen_at = now() - interval '121 seconds' where closed_at is null;
select is((ops.watch() ->> 'open')::integer, 0, 'and closes when it works again');

select * from finish();
rollback;
