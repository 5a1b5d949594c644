create or replace function public.write_logs(rows jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Append lines to ops.function_logs: [{"logged_at"?, "source", "level", "event", "run_id"?,
-- "trader_id"?, "symbol"?, "line_key"?, "fields"?}], at most 1,000; returns {"inserted",
-- "sampled", "dropped"}. A line whose key is there already is stored once.
-- Levels of Python's logging are understood (warning, critical). What is too long is cut: a log
-- must not be lost because it has much to say.
-- What is left out: of info and debug lines all but one in log_sample_info, log_sample_debug;
-- from half a day's room on, debug and nine in ten of info; from four fifths on, info; when the
-- day is full, all. The lines of a run are kept or left out together.
declare
    given jsonb := ops.unwrap_json(rows, 'rows', 'array');
    room record := ops.log_room();
    sample_info integer := ops.setting('log_sample_info')::integer;
    sample_debug integer := ops.setting('log_sample_debug')::integer;
    inserted_count integer;
    sampled integer;
    dropped integer;
begin
    if jsonb_array_length(given) > 1000 then
        raise sqlstate 'PT400' using
            message = format('expected at most 1000 lines, was %s', jsonb_array_length(given)),
            hint = 'rows';
    end if;
    with read as (
        select
            coalesce(line.logged_at, now()) as logged_at,
            left(coalesce(nullif(line.source, ''), 'unnamed'), 100) as source,
            case lower(line.level)
                when 'warning' then 'warn'
                when 'critical' then 'error'
                when 'exception' then 'error'
                when 'notset' then 'debug'
                else coalesce(lower(line.level), 'info')
            end as level,
            left(coalesce(nullif(line.event, ''), 'unnamed'), 200) as event,
            line.run_id,
            line.trader_id,
            left(nullif(line.symbol, ''), 80) as symbol,
            line.line_key,
            case
                when jsonb_typeof(line.fields) is distinct from 'object' then '{}'
                when pg_column_size(line.fields) > 64000
                then jsonb_build_object('cut', left(line.fields::text, 12000))
                else line.fields
            end as fields,
            row_number() over () as place
        from jsonb_to_recordset(given) as line (
            logged_at timestamptz, source text, level text, event text, run_id bigint,
            trader_id bigint, symbol text, line_key uuid, fields jsonb
        )
    ),
    measured as (
        select
            read.*,
            -- The share of the day's room that is used once this line is stored.
            greatest(
                (room.lines_count + read.place)::float8 / room.lines_max,
                (room.bytes_count + sum(ops.line_bytes(read.fields)) over (order by read.place))
                ::float8 / room.bytes_max
            ) as share,
            hashtextextended(
                coalesce(read.run_id::text, read.line_key::text, read.fields::text), 0
            ) & 2147483647 as lot
        from read
    ),
    judged as (
        select
            measured.*,
            case
                when measured.share > 1 then 'dropped'
                when measured.level = 'info' and measured.share > 0.8 then 'dropped'
                when measured.level = 'debug' and measured.share > 0.5 then 'dropped'
                when measured.level = 'info' and measured.lot
                    % (case when measured.share > 0.5 then 10 * sample_info else sample_info end)
                    <> 0 then 'sampled'
                when measured.level = 'debug' and measured.lot % sample_debug <> 0 then 'sampled'
                else 'stored'
            end as fate
        from measured
    ),
    stored as (
        insert into ops.function_logs
            (logged_at, source, level, event, run_id, trader_id, symbol, line_key, fields)
        select
            judged.logged_at,
            judged.source,
            judged.level,
            judged.event,
            judged.run_id,
            judged.trader_id,
            judged.symbol,
            judged.line_key,
            judged.fields
        from judged
        where judged.fate = 'stored'
        order by judged.place
        on conflict (line_key) where line_key is not null do nothing
        returning function_logs.id
    )
    select
        (select count(*) from stored),
        count(*) filter (where judged.fate = 'sampled'),
        count(*) filter (where judged.fate = 'dropped')
    into inserted_count, sampled, dropped
    from judged;

    if sampled > 0 then
        perform ops.count_lines(sampled => sampled);
    end if;
    if dropped > 0 then
        perform ops.note_full_day(dropped);
    end if;
    return jsonb_build_object(
        'inserted', inserted_count, 'sampled', sampled, 'dropped', dropped
    );
exception
    when check_violation or invalid_text_representation or invalid_datetime_format
        or datetime_field_overflow or numeric_value_out_of_range or invalid_parameter_value
    then
        raise sqlstate 'PT400' using
            message = format('expected log lines as documented, was refused: %s', sqlerrm),
            hint = 'rows';
end
$$;
comment on function public.write_logs(jsonb) is
    'Service only. Append lines to ops.function_logs; returns {"inserted", "sampled", "dropped"}.';
revoke all on function public.write_logs(jsonb) from public, anon, authenticated;
grant execute on function public.write_logs(jsonb) to service_role;
