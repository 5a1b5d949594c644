create or replace function ops.read_logs(wanted jsonb default '{}')
returns setof ops.log_lines
language plpgsql
stable
security definer
set search_path = ''
-- Compiling a search takes longer than the search.
set jit = off
as $$
-- Return lines of ops.log_lines. `wanted`, all optional: {"sources": […], "since", "until",
-- "level" (and above), "run_ids": […], "trader_ids": […], "symbols": […], "grep", "exclude": […]
-- (regular expressions over the line as it is printed, from its source on), "after": {"lines", "errors"} (ids),
-- "limit"}.
-- Without "after" the newest `limit`, newest first; with it the oldest, by line_id.
-- PT400 for what is not known or not possible; the hint names the key.
declare
    levels text[] := array['debug', 'info', 'warn', 'error'];
    conditions text[] := array[]::text[];
    key text;
    pattern text;
    -- As `closebell logs` prints it. Not a routine of its own: called for each of 100,000 lines it
    -- would take several times as long.
    line_text text := $text$
        concat_ws(
            ' ',
            source,
            event,
            'trader=' || trader_id,
            'symbol=' || symbol,
            (
                select string_agg(field.key || '=' || coalesce(field.value, 'null'), ' ')
                from jsonb_each_text(fields) as field (key, value)
            )
        )
    $text$;
    place integer;
begin
    for key in select * from jsonb_object_keys(wanted)
    loop
        if key <> all (array[
            'sources', 'since', 'until', 'level', 'run_ids', 'trader_ids', 'symbols', 'grep',
            'exclude', 'after', 'limit'
        ]) then
            raise sqlstate 'PT400' using message = format('expected a filter, was %s', key),
                hint = key;
        end if;
    end loop;
    if wanted ? 'sources' then
        for key in select * from jsonb_array_elements_text(wanted -> 'sources')
        loop
            if key <> all (ops.log_sources())
                and not exists (
                    select from ops.function_logs where function_logs.source = key
                )
            then
                raise sqlstate 'PT400' using
                    message = format('expected a function or another source, was %s', key),
                    hint = '`closebell logs sources` lists them';
            end if;
        end loop;
        conditions := conditions || format(
            'source = any (%L::text[])',
            array(select jsonb_array_elements_text(wanted -> 'sources'))
        );
    end if;
    if wanted ? 'since' then
        conditions := conditions || format(
            'logged_at >= %L::timestamptz', (wanted ->> 'since')::timestamptz
        );
    end if;
    if wanted ? 'until' then
        conditions := conditions || format(
            'logged_at < %L::timestamptz', (wanted ->> 'until')::timestamptz
        );
    end if;
    if wanted ? 'level' then
        place := array_position(levels, wanted ->> 'level');
        if place is null then
            raise sqlstate 'PT400' using
                message = format(
                    'expected debug, info, warn or error, was %s', wanted ->> 'level'
                ),
                hint = 'level';
        end if;
        if place > 1 then
            -- In the words of the index on problems, where they fit.
            conditions := conditions || format('level in (%s)', (
                select string_agg(quote_literal(level), ', ')
                from unnest(levels[place:]) as level
            ));
        end if;
    end if;
    if wanted ? 'run_ids' then
        conditions := conditions || format(
            'run_id = any (%L::bigint[])',
            array(select jsonb_array_elements_text(wanted -> 'run_ids'))
        );
    end if;
    if wanted ? 'trader_ids' then
        conditions := conditions || format(
            'trader_id = any (%L::bigint[])',
            array(select jsonb_array_elements_text(wanted -> 'trader_ids'))
        );
    end if;
    if wanted ? 'symbols' then
        conditions := conditions || format(
            'symbol = any (%L::text[])',
            array(select jsonb_array_elements_text(wanted -> 'symbols'))
        );
    end if;
    for key, pattern in
        select 'grep', wanted ->> 'grep'
        where wanted ? 'grep'
        union all
        select 'exclude', excluded
        from jsonb_array_elements_text(coalesce(wanted -> 'exclude', '[]')) as excluded
    loop
        perform '' ~ pattern;
        conditions := conditions || format(
            '%s %s %L', line_text, case key when 'grep' then '~' else '!~' end, pattern
        );
    end loop;
    if wanted ? 'after' then
        conditions := conditions || format(
            '((part = ''lines'' and line_id > %L::bigint)'
            ' or (part = ''errors'' and line_id > %L::bigint))',
            coalesce(wanted #>> '{after,lines}', '0'), coalesce(wanted #>> '{after,errors}', '0')
        );
    end if;
    return query execute format(
        'select * from ops.log_lines where %s order by %s limit %L::bigint',
        coalesce(nullif(array_to_string(conditions, ' and '), ''), 'true'),
        case when wanted ? 'after' then 'line_id' else 'logged_at desc, line_id desc' end,
        coalesce(wanted ->> 'limit', '100')
    );
exception
    when invalid_regular_expression then
        raise sqlstate 'PT400' using
            message = format(
                'expected a regular expression, was ''%s'': %s',
                pattern, replace(sqlerrm, 'invalid regular expression: ', '')
            ),
            hint = key;
end
$$;
comment on function ops.read_logs(jsonb) is
    'Lines of the log by source, time, level, run, trader, instrument and text.';
revoke all on function ops.read_logs(jsonb) from public, anon, authenticated;
