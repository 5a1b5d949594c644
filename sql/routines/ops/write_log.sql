create or replace function ops.write_log(
    level text,
    event text,
    fields jsonb default '{}',
    run_id bigint default null,
    trader_id bigint default null
)
returns void
language sql
security definer
set search_path = ''
as $$
    insert into ops.function_logs (source, level, event, run_id, trader_id, fields)
    values ('postgres', level, event, run_id, trader_id, fields);
$$;
comment on function ops.write_log(text, text, jsonb, bigint, bigint) is
    'Append a line of the database itself to ops.function_logs.';
revoke all on function ops.write_log(text, text, jsonb, bigint, bigint)
from public, anon, authenticated;
