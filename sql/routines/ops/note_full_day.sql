create or replace function ops.note_full_day(dropped integer)
returns void
language plpgsql
security definer
set search_path = ''
as $$
-- Count lines that were left out because the day is full, and say so in the log once a day; the
-- count goes on in ops.log_days and is shown by `closebell logs`.
declare
    today date := (clock_timestamp() at time zone 'UTC')::date;
    room record := ops.log_room();
begin
    perform ops.count_lines(dropped => dropped);
    insert into ops.function_logs (source, level, event, fields, line_key)
    values (
        'postgres', 'warn', 'log_day_filled',
        jsonb_build_object(
            'day', today,
            'lines', room.lines_count,
            'lines_max', room.lines_max,
            'bytes', room.bytes_count,
            'bytes_max', room.bytes_max
        ),
        md5('log_day_filled ' || today)::uuid
    )
    on conflict (line_key) where line_key is not null do nothing;
end
$$;
comment on function ops.note_full_day(integer) is
    'Count lines dropped because the day is full; the first time a day, a line says so.';
revoke all on function ops.note_full_day(integer) from public, anon, authenticated;
