create or replace function ops.check_usage(reports jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
-- Refuse, with PT400, reports that are not as documented (see public.add_usage).
declare
    wrong text;
begin
    if jsonb_array_length(reports) > 20 then
        raise sqlstate 'PT400' using
            message = format('expected at most 20 reports, was %s', jsonb_array_length(reports)),
            hint = 'rows';
    end if;
    select left(item::text, 200)
    into wrong
    from jsonb_array_elements(reports) as item
    where not coalesce(
        item ->> 'reporter' ~ '^(collector|functions)-[a-z0-9-]{1,50}$'
        and jsonb_typeof(item -> 'totals') = 'object',
        false
    )
    limit 1;
    if wrong is not null then
        raise sqlstate 'PT400' using
            message = format('expected {"reporter": "functions-…", "totals": {…}}, was %s', wrong),
            hint = 'rows';
    end if;
    select left(format('%s: %s', entry.key, entry.value), 200)
    into wrong
    from jsonb_array_elements(reports) as item
    cross join lateral jsonb_each(item -> 'totals') as entry
    where not exists (select from ops.meters where meter = entry.key and not is_level)
        or jsonb_typeof(entry.value) <> 'number'
        or case
            when jsonb_typeof(entry.value) = 'number'
            then (entry.value #>> '{}')::numeric not between 0 and 1e15
        end
    limit 1;
    if wrong is not null then
        raise sqlstate 'PT400' using
            message = format(
                'expected a meter of ops.meters that adds up, with an amount of 0 to 1e15, was %s',
                wrong
            ),
            hint = 'rows';
    end if;
end
$$;
comment on function ops.check_usage(jsonb) is
    'Refuse reports of usage that name no meter, or no amount, or are too many (PT400).';
revoke all on function ops.check_usage(jsonb) from public, anon, authenticated;
