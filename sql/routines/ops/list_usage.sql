create or replace function ops.list_usage(reports jsonb)
returns table (reporter text, meter text, total numeric)
language sql
immutable
set search_path = ''
as $$
    select
        item ->> 'reporter',
        entry.key,
        (entry.value #>> '{}')::numeric
    from jsonb_array_elements(reports) as item
    cross join lateral jsonb_each(item -> 'totals') as entry;
$$;
comment on function ops.list_usage(jsonb) is
    'The reports of add_usage as rows: reporter, meter, amount since the start of the process.';
revoke all on function ops.list_usage(jsonb) from public, anon, authenticated;
