create or replace function ops.table_checksum(name text)
returns jsonb
language plpgsql
stable
set search_path = ''
-- A row's text must not depend on who asks.
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
-- Return {"rows", "checksum"} of a table. The checksum is that of a bag: MD5 of each row's text,
-- its halves summed, so that order does not matter and a doubled or lost row does.
declare
    fields text;
    found_jsonb jsonb;
begin
    select string_agg(format('rows_.%I', attributes.attname), ', ' order by attributes.attname)
    into fields
    from pg_catalog.pg_attribute as attributes
    where attributes.attrelid = table_checksum.name::pg_catalog.regclass
        and attributes.attnum > 0
        and not attributes.attisdropped;
    execute format(
        $query$
        select jsonb_build_object(
            'rows', count(*),
            'checksum', md5(concat_ws(
                ':',
                count(*),
                sum(('x' || left(hash, 16))::bit(64)::bigint::numeric),
                sum(('x' || right(hash, 16))::bit(64)::bigint::numeric)
            ))
        )
        from (select md5(row(%s)::text) as hash from %s as rows_) as hashes
        $query$,
        fields, table_checksum.name::pg_catalog.regclass
    )
    into found_jsonb;
    return found_jsonb;
end
$$;
comment on function ops.table_checksum(text) is
    'Rows of a table, count, and a checksum of them that does not depend on their order.';
revoke all on function ops.table_checksum(text) from public, anon, authenticated;
