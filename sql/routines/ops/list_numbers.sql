create or replace function ops.list_numbers(numbers integer[], words text[] default null)
returns text
language sql
immutable
set search_path = ''
as $$
    -- Ascending numbers as people list them: "1, 3 and 9 to 17". `words`: what number 0, 1, …
    -- is called. Three neighbours or more are a range.
    with islands as (
        select
            min(numbered.number) as first,
            max(numbered.number) as last
        from (
            select
                number,
                number - row_number() over (order by number) as island
            from unnest(numbers) as number
        ) as numbered
        group by numbered.island
    ),
    named as (
        select
            item.place,
            case
                when islands.last - islands.first >= 2 then format(
                    '%s to %s',
                    coalesce(words[islands.first + 1], islands.first::text),
                    coalesce(words[islands.last + 1], islands.last::text)
                )
                else coalesce(words[item.place + 1], item.place::text)
            end as label
        from islands
        cross join lateral generate_series(
            islands.first,
            islands.last,
            -- One item for a range, one each for one or two numbers.
            case when islands.last - islands.first >= 2 then 61 else 1 end
        ) as item (place)
    ),
    listed as (
        select array_agg(named.label order by named.place) as labels
        from named
    )
    select case
        when cardinality(listed.labels) > 1 then
            array_to_string(listed.labels[: cardinality(listed.labels) - 1], ', ')
            || ' and ' || listed.labels[cardinality(listed.labels)]
        else listed.labels[1]
    end
    from listed;
$$;
comment on function ops.list_numbers(integer[], text[]) is
    'Numbers, or their words, as people list them: "1, 3 and 9 to 17".';
revoke all on function ops.list_numbers(integer[], text[]) from public, anon, authenticated;
