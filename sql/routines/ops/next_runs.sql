create or replace function ops.next_runs(
    timing text, after timestamptz default now(), runs_count integer default 3
)
returns timestamptz[]
language plpgsql
immutable
set search_path = ''
as $$
-- Return the next runs after an instant, ascending; fewer where no more come within 41 years
-- (29 February is a given weekday at least once in 40). An impossible timing is refused (PT400).
declare
    step_s integer := ops.every_s(timing);
    plan record;
    after_utc timestamp := after at time zone 'UTC';
    day date;
    last_day date;
    is_day boolean;
    is_weekday boolean;
    run_at timestamp;
    found timestamptz[] := array[]::timestamptz[];
begin
    if not isfinite(after) then
        return found;
    end if;
    if step_s is not null then
        return array(
            select date_bin(make_interval(secs => step_s), after, timestamptz 'epoch')
                + make_interval(secs => step_s * place)
            from generate_series(1, runs_count) as place
        );
    end if;
    plan := ops.parse_cron(timing);
    day := after_utc::date;
    last_day := day + 41 * 366;
    while day <= last_day loop
        if extract(month from day)::integer <> all (plan.months) then
            day := (date_trunc('month', day) + interval '1 month')::date;
            continue;
        end if;
        is_day := extract(day from day)::integer = any (plan.days);
        is_weekday := extract(dow from day)::integer = any (plan.weekdays);
        if (is_day and is_weekday) or (plan.is_either and (is_day or is_weekday)) then
            for hour in 0 .. 23 loop
                continue when hour <> all (plan.hours)
                    or day + make_interval(hours => hour + 1) <= after_utc;
                foreach run_at in array array(
                    select day + make_interval(hours => hour, mins => minute)
                    from unnest(plan.minutes) as minute
                ) loop
                    continue when run_at <= after_utc;
                    found := found || (run_at at time zone 'UTC');
                    if cardinality(found) = runs_count then
                        return found;
                    end if;
                end loop;
            end loop;
        end if;
        day := day + 1;
    end loop;
    return found;
end
$$;
comment on function ops.next_runs(text, timestamptz, integer) is
    'The next runs of a timing (cron expression, UTC, or "every N s") after an instant, or PT400.';
revoke all on function ops.next_runs(text, timestamptz, integer) from public, anon, authenticated;
