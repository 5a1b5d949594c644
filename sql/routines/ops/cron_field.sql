create or replace function ops.cron_field(
    field text, name text, low integer, high integer, words text[] default null
)
returns integer[]
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
-- Return the numbers that one field of a cron expression lists, `low` to `high`, ascending.
-- `words`: names of the numbers from `low` on. What pg_cron takes: * · 5 · 1-5 · mon-fri · */15 ·
-- 10-50/20, and lists of them. What it would read in silence as something else (5/15, 9-3) is
-- refused (PT400), and so is what only some of its versions take ($, @daily).
declare
    part text;
    pieces text[];
    first integer;
    last integer;
    step integer;
    found integer[] := array[]::integer[];
    all_numbers constant integer[] := array[
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
        26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
        49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59
    ];
begin
    -- Nearly every field is one of these two, and a tick reads each cadence: a tenth of the time.
    if field = '*' then
        return all_numbers[low + 1:high + 1];
    elsif length(field) <= 2 and field ~ '^[0-9]+$' and field::integer between low and high then
        return array[field::integer];
    end if;
    foreach part in array string_to_array(field, ',') loop
        pieces := regexp_match(
            lower(part),
            '^(?:(\*)|([a-z]{3}|[0-9]{1,2})(?:-([a-z]{3}|[0-9]{1,2}))?)(?:/([0-9]{1,2}))?$'
        );
        if pieces[1] is not null then
            first := low;
            last := high;
        else
            first := coalesce(
                array_position(words, pieces[2]) - 1 + low,
                substring(pieces[2] from '^[0-9]+$')::integer
            );
            last := case
                when pieces[3] is null then first
                else coalesce(
                    array_position(words, pieces[3]) - 1 + low,
                    substring(pieces[3] from '^[0-9]+$')::integer
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
        -- No query: one takes longer to begin than the few numbers take to count.
        while first <= last loop
            found := found || first;
            first := first + step;
        end loop;
    end loop;
    if strpos(field, ',') = 0 then
        return found;
    end if;
    return array(select distinct listed.number from unnest(found) as listed (number) order by 1);
end
$$;
comment on function ops.cron_field(text, text, integer, integer, text[]) is
    'Numbers that one field of a cron expression lists, ascending, or PT400 with its name.';
revoke all on function ops.cron_field(text, text, integer, integer, text[])
from public, anon, authenticated;
