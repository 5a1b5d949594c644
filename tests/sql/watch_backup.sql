-- backup_overdue: the newest backup is too old, once there was one.
begin;
select plan(6);

select is_empty('select ops.find_backup_causes()', 'without a first backup none is missed');
select ops.record_backup(
    now() - make_interval(days => days), 's3://b/' || days, 9, '{}', repeat('0', 64)
)
from unnest(array[3, 9]) as days;
select ops.watch();
select results_eq(
    'select kind, subject, severity, details - ''made_at'' from ops.incidents',
    $$ values (
        'backup_overdue', 'backup', 'warn',
        '{"target": "s3://b/3", "age_days": 3, "after_days": 2}'::jsonb
    ) $$,
    'the newest counts'
);
select is(
    message,
    to_char(
        now() at time zone 'UTC' - interval '3 days',
        '"The newest backup holds "YYYY-MM-DD HH24:MI" UTC and is 3 days old;'
        ' one of at most 2 is wanted."'
    ),
    'it says which and how old'
)
from ops.incidents;
update ops.settings set value = '3' where name = 'backup_overdue_after_days';
select is_empty('select ops.find_backup_causes()', 'as old as it may be');
update ops.settings set value = '2' where name = 'backup_overdue_after_days';

select ops.record_backup(now(), '/backups/new', 9, '{}', repeat('0', 64));
select is_empty('select ops.find_backup_causes()', 'a new one');
update ops.incidents set last_seen_at = now() - interval '121 seconds';
select is((ops.watch() ->> 'closed')::integer, 1, 'closes it');

select * from finish();
rollback;
