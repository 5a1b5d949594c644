create or replace function ops.parse_cron(
    expression text,
    out minutes integer[],
    out hours integer[],
    out days integer[],
    out months integer[],
    out weekdays integer[],
    out is_either boolean
)
returns record
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
-- Return what the five fields of a cron expression, one space between them, stand for, or refuse it
-- (PT400): the timings of schedules and the cadences of traders are read here and nowhere else.
-- Weekdays are 0 (Sunday) to 6. `is_either`: day and weekday are both given, so one of them is
-- enough. As in pg_cron a field that begins with * is not given, whatever follows: with */2 both
-- must hold.
declare
    fields text[] := string_to_array(expression, ' ');
begin
    if cardinality(fields) is distinct from 5 then
        raise sqlstate 'PT400' using
            message = format(
                'expected five fields (minute hour day month weekday) or "every N s", was "%s"',
                expression
            ),
            hint = '"* * * * *": each minute; "0 3 * * *": each day at 03:00; "every 5 s"';
    end if;
    minutes := ops.cron_field(fields[1], 'minute', 0, 59);
    hours := ops.cron_field(fields[2], 'hour', 0, 23);
    days := ops.cron_field(fields[3], 'day', 1, 31);
    months := ops.cron_field(
        fields[4], 'month', 1, 12, '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}'
    );
    weekdays := ops.cron_field(fields[5], 'weekday', 0, 7, '{sun,mon,tue,wed,thu,fri,sat}');
    if 7 = any(weekdays) then
        weekdays := 0 || array_remove(array_remove(weekdays, 0), 7);
    end if;
    is_either := left(fields[3], 1) <> '*' and left(fields[5], 1) <> '*';
end
$$;
comment on function ops.parse_cron(text) is
    'Minutes, hours, days, months and weekdays of a cron expression of five fields, or PT400.';
revoke all on function ops.parse_cron(text) from public, anon, authenticated;
