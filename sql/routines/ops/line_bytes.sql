create or replace function ops.line_bytes(fields jsonb)
returns integer
language sql
immutable
parallel safe
set search_path = ''
as $$
    -- What a line takes on disk: its fields, and 250 bytes for the other columns, the row's header
    -- and its entries in the indexes (measured; tests/sql/log_caps.sql compares).
    select pg_column_size(fields) + 250;
$$;
comment on function ops.line_bytes(jsonb) is 'Bytes a log line with these fields takes on disk.';
revoke all on function ops.line_bytes(jsonb) from public, anon, authenticated;
