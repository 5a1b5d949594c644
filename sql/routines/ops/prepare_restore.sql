create or replace function ops.prepare_restore(schema_versions text[], replace boolean)
returns jsonb
language plpgsql
set search_path = ''
as $$
-- Empty the tables that a backup fills, in the transaction that fills them. Refuses (PT409) a
-- schema of other migrations than the backup's, and, without `replace`, one where somebody's rows
-- are: what migrations themselves put there (ops, tiers) does not count.
-- Returns what finish_restore takes back: addresses belong to the system and not to its data, and
-- a function must not take its old list of traders for the current one.
declare
    kept jsonb;
    listed record;
    has_rows boolean;
    filled text[] := array[]::text[];
begin
    if prepare_restore.schema_versions is distinct from ops.schema_versions() then
        raise sqlstate 'PT409' using
            message = format(
                'expected the schema of the backup, %s (migrations: %s), was %s (%s)',
                coalesce(schema_versions[cardinality(schema_versions)], 'none'),
                cardinality(schema_versions),
                coalesce((ops.schema_versions())[cardinality(ops.schema_versions())], 'none'),
                cardinality(ops.schema_versions())
            ),
            hint = 'migrate the target with the checkout whose newest file in sql/migrations is the'
                ' backup''s, restore, then migrate on';
    end if;
    for listed in
        select tables.name
        from ops.list_backup_tables() as tables
        where tables.name !~ '^ops\.' and tables.name <> 'public.tiers'
    loop
        execute format('select exists (select from %s)', listed.name) into has_rows;
        if has_rows then
            filled := filled || listed.name;
        end if;
    end loop;
    if cardinality(filled) > 0 and not replace then
        raise sqlstate 'PT409' using
            message = format(
                'expected an empty target, there are rows in %s', array_to_string(filled, ', ')
            ),
            hint = '--replace deletes them; take a backup of the target first';
    end if;
    kept := jsonb_build_object(
        'addresses', (
            select coalesce(jsonb_object_agg(settings.name, settings.value), '{}')
            from ops.settings
            where settings.unit = 'url'
        ),
        'traders_revision', (select max(traders_revision.revision) from ops.traders_revision)
    );
    execute (
        select 'truncate ' || string_agg(tables.name, ', ')
        from ops.list_backup_tables() as tables
        where not tables.is_kept
    );
    return kept;
end
$$;
comment on function ops.prepare_restore(text[], boolean) is
    'Empty the tables that a backup fills, or PT409; returns what finish_restore takes.';
revoke all on function ops.prepare_restore(text[], boolean) from public, anon, authenticated;
