create or replace function ops.write_log(
    level text,
    event text,
    fields jsonb default '{}',
    run_id bigint default null,
    trader_id bigint default null
)
returns void
language plpgsql
security definer
set search_path = ''
as $$
-- Append a line of the database itself. On a day that is full it is counted and left out.
declare
    room record := ops.log_room();
begin
    if room.lines_count >= room.lines_max or room.bytes_count >= room.bytes_max then
        perform ops.note_full_day(1);
        return;
    end if;
    insert into ops.function_logs (source, level, event, run_id, trader_id, symbol, fields)
    values (
        'postgres', level, event, run_id, trader_id, left(nullif(fields ->> 'symbol', ''), 80),
        fields
    );
end
$$;
comment on function ops.write_log(text, text, jsonb, bigint, bigint) is
    'Append a line of the database itself to ops.function_logs.';
revoke all on function ops.write_log(text, text, jsonb, bigint, bigint)
from public, anon, authenticated;
