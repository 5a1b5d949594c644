create or replace function ops.backup_manifest()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
-- What the database holds, as a backup of this snapshot must hold it:
-- {"schema_versions": [], "tables": {name: {"rows", "checksum"}}, "excluded": {name: reason},
-- "sequences": {name: last value}}. Reads every row of every table in it.
declare
    tables jsonb;
    excluded jsonb;
    sequences jsonb;
begin
    select
        coalesce(
            jsonb_object_agg(listed.name, ops.table_checksum(listed.name))
                filter (where listed.excluded_because is null),
            '{}'
        ),
        coalesce(
            jsonb_object_agg(listed.name, listed.excluded_because)
                filter (where listed.excluded_because is not null),
            '{}'
        )
    into tables, excluded
    from ops.list_backup_tables() as listed;
    select
        coalesce(
            jsonb_object_agg(format('%I.%I', schemaname, sequencename), last_value)
                filter (where last_value is not null),
            '{}'
        )
    into sequences
    from pg_catalog.pg_sequences
    where schemaname in ('public', 'ops', 'trading');
    return jsonb_build_object(
        'schema_versions', ops.schema_versions(),
        'tables', tables,
        'excluded', excluded,
        'sequences', sequences
    );
end
$$;
comment on function ops.backup_manifest() is
    'Counts and checksums of all tables in a backup, what is excluded and why, sequences, schema.';
revoke all on function ops.backup_manifest() from public, anon, authenticated;
