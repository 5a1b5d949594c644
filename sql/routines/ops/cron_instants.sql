create or replace function ops.cron_instants(
    expression text, after timestamptz, until timestamptz, rows_max integer default 2147483647
)
returns setof timestamptz
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
-- The instants of a cron expression, UTC, after one instant up to and with another, in order, the
-- first `rows_max`; PT400 if it is none.
-- Loops, because a query would take longer to begin than most take to end.
declare
    cron record := ops.parse_cron(expression);
    day timestamp := date_trunc('day', after at time zone 'UTC');
    last_day timestamp := until at time zone 'UTC';
    hour_starts timestamptz;
    instant timestamptz;
    hour integer;
    minute integer;
    is_day boolean;
    is_weekday boolean;
    rows_count integer := 0;
begin
    while day <= last_day loop
        if extract(month from day) <> all(cron.months) then
            day := date_trunc('month', day) + interval '1 month';
            continue;
        end if;
        is_day := extract(day from day) = any(cron.days);
        is_weekday := extract(dow from day) = any(cron.weekdays);
        if (is_day and is_weekday) or (cron.is_either and (is_day or is_weekday)) then
            foreach hour in array cron.hours loop
                hour_starts := (day + make_interval(hours => hour)) at time zone 'UTC';
                exit when hour_starts > until;
                continue when hour_starts + interval '1 hour' <= after;
                foreach minute in array cron.minutes loop
                    instant := hour_starts + make_interval(mins => minute);
                    if instant > after and instant <= until then
                        return next instant;
                        rows_count := rows_count + 1;
                        if rows_count >= rows_max then
                            return;
                        end if;
                    end if;
                end loop;
            end loop;
        end if;
        day := day + interval '1 day';
    end loop;
end
$$;
comment on function ops.cron_instants(text, timestamptz, timestamptz, integer) is
    'The instants of a cron expression, UTC, after one instant up to another, in order, or PT400.';
revoke all on function ops.cron_instants(text, timestamptz, timestamptz, integer)
from public, anon, authenticated;
