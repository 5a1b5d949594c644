create or replace function ops.cron_field(field text, name text)
returns integer[]
language plpgsql
immutable
set search_path = ''
as $$
-- Return the numbers one field of a cron expression stands for, ascending; a Sunday is 0.
-- What pg_cron takes: * · 5 · 1-5 · mon-fri · */15 · 10-50/20, and lists of them. What it would
-- read in silence as something else (5/15, 9-3) is refused (PT400), and so is what only some of
-- its versions take ($, @daily).
declare
    low integer := case when name in ('day', 'month') then 1 else 0 end;
    high integer := case name
        when 'minute' then 59 when 'hour' then 23 when 'day' then 31 when 'month' then 12 else 7
    end;
    words text[] := case name
        when 'month' then array[
            'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'
        ]
        when 'weekday' then array['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
    end;
    part text;
    pieces text[];
    first integer;
    last integer;
    step integer;
    found integer[] := array[]::integer[];
begin
    foreach part in array string_to_array(lower(field), ',') loop
        pieces := regexp_match(
            part, '^(?:(\*)|([a-z]+|[0-9]{1,3})(?:-([a-z]+|[0-9]{1,3}))?)(?:/([0-9]{1,3}))?$'
        );
        if pieces[1] is not null then
            first := low;
            last := high;
        else
            first := coalesce(
                array_position(words, pieces[2]) - 1 + low,
                substring(pieces[2] from '^\d+$')::integer
            );
            last := case
                when pieces[3] is null then first
                else coalesce(
                    array_position(words, pieces[3]) - 1 + low,
                    substring(pieces[3] from '^\d+$')::integer
                )
            end;
        end if;
        step := coalesce(pieces[4]::integer, 1);
        if (first between low and high and last between low and high) is not true then
            raise sqlstate 'PT400' using message = format(
                '%s: expected %s to %s%s, was %s', name, low, high,
                case when words is null then '' else format(
                    ' or %s to %s', words[1], words[cardinality(words)]
                ) end,
                coalesce(nullif(part, ''), 'empty')
            );
        elsif first > last then
            raise sqlstate 'PT400' using
                message = format('%s: expected the smaller first, was %s', name, part),
                hint = 'write two ranges with a comma between them';
        elsif pieces[4] is not null and (
            step not between 1 and high or (pieces[1] is null and pieces[3] is null)
        ) then
            raise sqlstate 'PT400' using message = format(
                '%s: expected a step of 1 to %s after * or a range, was %s', name, high, part
            );
        end if;
        found := found || array(select generate_series(first, last, step));
    end loop;
    return array(
        select distinct case when name = 'weekday' then value % 7 else value end as number
        from unnest(found) as value
        order by number
    );
end
$$;
comment on function ops.cron_field(text, text) is
    'Numbers of one field (minute, hour, day, month, weekday) of a cron expression, or PT400.';
revoke all on function ops.cron_field(text, text) from public, anon, authenticated;
