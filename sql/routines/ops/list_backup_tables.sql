create or replace function ops.list_backup_tables()
returns table (name text, excluded_because text, is_kept boolean)
language sql
stable
set search_path = ''
as $$
-- Every table of ours: in a backup with all its rows, unless it is excluded below with a reason.
-- A table that a later migration adds is in the backup without a word here.
-- is_kept: a restore leaves the rows that are there; other tables are emptied first.
select
    format('%I.%I', spaces.nspname, tables.relname) as name,
    excluded.reason as excluded_because,
    coalesce(excluded.is_kept, false) as is_kept
from pg_catalog.pg_class as tables
inner join pg_catalog.pg_namespace as spaces on spaces.oid = tables.relnamespace
left join (
    values
        ('ops', 'local_secrets', true, 'a secret never leaves its database'),
        ('ops', 'function_logs', true, 'log lines are kept for days only; nothing stands on them'),
        ('ops', 'schedule_runs', true, 'history of schedules, kept for days only'),
        ('ops', 'backups', true, 'tells which backups this system has made'),
        ('ops', 'outbox', false, 'a restored system would send old notifications once more')
) as excluded (space, "table", is_kept, reason)
    on excluded.space = spaces.nspname and excluded."table" = tables.relname
where spaces.nspname in ('public', 'ops', 'trading')
    and tables.relkind in ('r', 'p')
    and not tables.relispartition
    -- What an extension keeps in our schemas is the extension's.
    and not exists (
        select
        from pg_catalog.pg_depend as owners
        where owners.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and owners.objid = tables.oid
            and owners.deptype = 'e'
    )
order by 1
$$;
comment on function ops.list_backup_tables() is
    'Every table of ours: null, or why it is not in a backup; whether a restore keeps its rows.';
revoke all on function ops.list_backup_tables() from public, anon, authenticated;
