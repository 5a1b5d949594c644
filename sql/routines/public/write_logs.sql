create or replace function public.write_logs(rows jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Append lines to ops.function_logs: [{"logged_at"?, "source", "level", "event", "run_id"?,
-- "trader_id"?, "fields"?}], at most 1,000; returns {"inserted"}.
-- Levels of Python's logging are understood (warning, critical). What is too long is cut: a log
-- must not be lost because it has much to say.
declare
    given jsonb := ops.unwrap_json(rows, 'rows', 'array');
    inserted_count integer;
begin
    if jsonb_array_length(given) > 1000 then
        raise sqlstate 'PT400' using
            message = format('expected at most 1000 lines, was %s', jsonb_array_length(given)),
            hint = 'rows';
    end if;
    insert into ops.function_logs (logged_at, source, level, event, run_id, trader_id, fields)
    select
        coalesce(line.logged_at, now()),
        left(coalesce(nullif(line.source, ''), 'unnamed'), 100),
        case lower(line.level)
            when 'warning' then 'warn'
            when 'critical' then 'error'
            when 'exception' then 'error'
            when 'notset' then 'debug'
            else coalesce(lower(line.level), 'info')
        end,
        left(coalesce(nullif(line.event, ''), 'unnamed'), 200),
        line.run_id,
        line.trader_id,
        case
            when jsonb_typeof(line.fields) is distinct from 'object' then '{}'
            when pg_column_size(line.fields) > 64000
            then jsonb_build_object('cut', left(line.fields::text, 12000))
            else line.fields
        end
    from jsonb_to_recordset(given) as line (
        logged_at timestamptz, source text, level text, event text, run_id bigint,
        trader_id bigint, fields jsonb
    );
    get diagnostics inserted_count = row_count;
    return jsonb_build_object('inserted', inserted_count);
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
    'Service only. Append lines to ops.function_logs; returns {"inserted"}.';
revoke all on function public.write_logs(jsonb) from public, anon, authenticated;
grant execute on function public.write_logs(jsonb) to service_role;
