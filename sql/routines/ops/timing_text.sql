create or replace function ops.timing_text(timing text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
-- Return a timing in plain English: "every minute", "every day at 03:00",
-- "every 5 minutes of hours 9 to 17 on Monday to Friday". Times are UTC.
declare
    step_s integer := ops.every_s(timing);
    plan record;
    minute_step integer;
    hour_step integer;
    time_words text;
    day_words text;
    weekday_words text;
    when_words text;
begin
    if step_s is not null then
        return case step_s when 1 then 'every second' else format('every %s s', step_s) end;
    end if;
    plan := ops.parse_cron(timing);
    minute_step := ops.even_step(plan.minutes, 60);
    hour_step := ops.even_step(plan.hours, 24);

    time_words := case
        when minute_step = 1 then 'every minute'
        when minute_step is not null then format('every %s minutes', minute_step)
        when cardinality(plan.minutes) = 1
            then format('at :%s', lpad(plan.minutes[1]::text, 2, '0'))
        else 'at minutes ' || ops.list_numbers(plan.minutes)
    end;
    if hour_step = 1 then
        time_words := case when minute_step is null then 'every hour ' else '' end || time_words;
    elsif hour_step is not null and cardinality(plan.minutes) = 1 then
        time_words := format('every %s hours %s', hour_step, time_words);
    elsif cardinality(plan.minutes) * cardinality(plan.hours) <= 4 then
        time_words := 'at ' || (
            select regexp_replace(
                string_agg(
                    to_char(make_time(hour, minute, 0), 'HH24:MI'), ', ' order by hour, minute
                ),
                ', ([^,]*)$',
                ' and \1'
            )
            from unnest(plan.hours) as hour
            cross join unnest(plan.minutes) as minute
        );
    else
        time_words := format('%s of hour%s %s', time_words,
            case when cardinality(plan.hours) > 1 then 's' else '' end,
            ops.list_numbers(plan.hours)
        );
    end if;

    if cardinality(plan.days) < 31 then
        day_words := format('day%s %s of the month',
            case when cardinality(plan.days) > 1 then 's' else '' end,
            ops.list_numbers(plan.days)
        );
    end if;
    if cardinality(plan.weekdays) < 7 then
        weekday_words := ops.list_numbers(plan.weekdays, array[
            'Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'
        ]);
    end if;
    if plan.is_either then
        -- Null, so every day, if one of them is no limit.
        when_words := 'on ' || day_words || ' or on ' || weekday_words;
    elsif day_words is not null and weekday_words is not null then
        when_words := format('on %s if it is %s', day_words, weekday_words);
    else
        when_words := 'on ' || coalesce(day_words, weekday_words);
    end if;
    return case when when_words is null and time_words like 'at %' then 'every day ' else '' end
        || time_words
        || coalesce(' ' || when_words, '')
        || case
            when cardinality(plan.months) = 12 then ''
            else ' in ' || ops.list_numbers(plan.months, array[
                null, 'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August',
                'September', 'October', 'November', 'December'
            ])
        end;
end
$$;
comment on function ops.timing_text(text) is
    'A timing (cron expression of five fields, or "every N s") in plain English, or PT400.';
revoke all on function ops.timing_text(text) from public, anon, authenticated;
