create or replace function ops.find_backup_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
    -- A cause if the newest backup is older than backup_overdue_after_days. Only once there is a
    -- first one: a system that is tried out has none, and misses none.
    select
        'backup_overdue',
        'backup',
        'warn',
        format(
            'The newest backup holds %s UTC and is %s days old; one of at most %s is wanted.',
            to_char(newest.made_at, 'YYYY-MM-DD HH24:MI'),
            newest.age_days,
            newest.after_days
        ),
        jsonb_build_object(
            'made_at', newest.made_at,
            'target', newest.target,
            'age_days', newest.age_days,
            'after_days', newest.after_days
        )
    from (
        select
            backups.made_at,
            backups.target,
            floor(extract(epoch from now() - backups.made_at) / 86400) as age_days,
            ops.setting('backup_overdue_after_days')::integer as after_days
        from ops.backups
        order by backups.made_at desc
        limit 1
    ) as newest
    where newest.made_at < now() - make_interval(days => newest.after_days);
$$;
comment on function ops.find_backup_causes() is
    'Causes backup_overdue: the newest backup, if there ever was one, is too old.';
revoke all on function ops.find_backup_causes() from public, anon, authenticated;
