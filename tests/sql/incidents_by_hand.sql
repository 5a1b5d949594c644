-- Raising, acknowledging and closing: who, when, with which note; and what is refused.
begin;
select plan(20);

select ops.raise_incident('budget_exceeded', 'redis', 'warn', 'first', '{"a": 1}', 3600) as one
\gset
select is(
    ops.raise_incident('budget_exceeded', 'redis', 'error', 'second'), :one::bigint,
    'the same kind and subject: the same incident'
);
select results_eq(
    'select severity, message, details, quiet_s from ops.incidents',
    $$ values ('error', 'second', '{}'::jsonb, 120) $$,
    'brought up to date'
);
select isnt(
    ops.raise_incident('budget_exceeded', 'egress', 'warn', repeat('x', 3000), '{}', 3600),
    :one::bigint, 'another subject: another one'
);
select is(length(message), 1000, 'what is too long is cut') from ops.incidents where id <> :one;

select lives_ok(format('select ops.acknowledge_incident(%s, '' on it '', ''ann'')', :one));
select lives_ok(format('select ops.acknowledge_incident(%s, ''me too'', ''bob'')', :one));
select lives_ok(format('select ops.acknowledge_incident(%s)', :one));
select results_eq(
    format('select acknowledged_by, acknowledged_at, note from ops.incidents where id = %s', :one),
    $$ values ('ann', now(), e'ann: on it\nbob: me too') $$,
    'the first is named, every note is kept'
);
select is(
    (select closed_by from ops.close_incident(:one, 'a larger plan')), 'postgres',
    'without a name: whoever is connected'
);
select is(note, e'ann: on it\nbob: me too\npostgres: a larger plan', 'notes')
from ops.incidents where id = :one;
select results_eq(
    $$
    select fields ->> 'closed_by' from ops.function_logs where event = 'incident_closed'
    $$,
    array['postgres'], 'a line in the log'
);

select throws_like(
    format('select ops.close_incident(%s)', :one), '%to be open, was closed by postgres at %'
);
select is(tap.hint_of(format('select ops.close_incident(%s)', :one)), 'PT409 nothing is left to do');
select is(
    tap.hint_of(format('select ops.acknowledge_incident(%s)', :one)), 'PT409 nothing is left to do'
);
select is(
    tap.hint_of('select ops.acknowledge_incident(-1)'), 'PT404 closebell incidents list --all'
);
select is(
    tap.hint_of(format('select ops.acknowledge_incident(%s, repeat(''x'', 501))', :one)),
    'PT400 note'
);
select isnt(
    ops.raise_incident('budget_exceeded', 'redis', 'error', 'again'), :one::bigint,
    'raised after it was closed: a new one'
);

-- Its own pause, for causes that are looked for seldom.
update ops.incidents set last_seen_at = now() - interval '10 minutes' where closed_at is null;
select is(ops.close_quiet_incidents(), 1, 'two minutes unless told otherwise');
select results_eq(
    'select subject from ops.incidents where closed_at is null', array['egress'],
    'an hour if told so'
);

-- Retention.
update ops.incidents set closed_at = now() - interval '91 days' where closed_at is not null;
select is(ops.trim_batch(1) + ops.trim_batch(1) + ops.trim_batch(1), 2, 'closed ones stay 90 days');

select * from finish();
rollback;
