create or replace function public.add_usage(rows jsonb)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Take what processes have used since their start: [{"reporter", "totals": {meter: amount}}], at
-- most 20; returns {"reporters"}. The difference to the last report of each is added to today,
-- so the same report again adds nothing and the next one makes up for one that was lost. What a
-- process used after its last report is lost with it.
declare
    given jsonb := ops.unwrap_json(rows, 'rows', 'array');
    today date := (now() at time zone 'UTC')::date;
    reporters_max constant integer := 10000;
begin
    perform ops.check_usage(given);
    if (select count(*) from ops.usage_reporters) >= reporters_max
        and exists (
            select
            from jsonb_array_elements(given) as item
            where item ->> 'reporter' not in (select reporter from ops.usage_reporters)
        )
    then
        raise sqlstate 'PT429' using
            message = format('expected at most %s reporters in a week', reporters_max),
            hint = 'processes are started all the time: look at the host''s log';
    end if;

    -- Rows are locked in the order of their names, here and below, so that no two calls wait for
    -- each other.
    insert into ops.usage_reporters (reporter)
    select distinct item ->> 'reporter'
    from jsonb_array_elements(given) as item
    order by 1
    on conflict do nothing;
    perform
    from ops.usage_reporters
    where reporter in (select item ->> 'reporter' from jsonb_array_elements(given) as item)
    order by reporter
    for update;

    insert into ops.usage (meter, day, amount, settled_at, settled_amount)
    select
        added.meter,
        today,
        sum(added.amount),
        now(),
        sum(added.amount)
    from (
        select
            sent.meter,
            max(sent.total) - coalesce((reporters.totals ->> sent.meter)::numeric, 0) as amount
        from ops.list_usage(given) as sent
        inner join ops.usage_reporters as reporters on reporters.reporter = sent.reporter
        group by sent.meter, reporters.reporter, reporters.totals
    ) as added
    where added.amount > 0
    group by added.meter
    order by added.meter
    on conflict (meter, day) do update
    set
        amount = usage.amount + excluded.amount,
        settled_amount = case
            when now() < usage.first_at + interval '5 minutes'
                then usage.amount + excluded.amount
            else usage.settled_amount
        end,
        settled_at = case
            when now() < usage.first_at + interval '5 minutes' then now()
            else usage.settled_at
        end;

    update ops.usage_reporters
    set
        totals = usage_reporters.totals || newest.totals,
        reported_at = now()
    from (
        select
            sent.reporter,
            jsonb_object_agg(
                sent.meter,
                greatest(sent.total, coalesce((reporters.totals ->> sent.meter)::numeric, 0))
                order by sent.total
            ) as totals
        from ops.list_usage(given) as sent
        inner join ops.usage_reporters as reporters on reporters.reporter = sent.reporter
        group by sent.reporter
    ) as newest
    where usage_reporters.reporter = newest.reporter;
    return jsonb_build_object('reporters', jsonb_array_length(given));
end
$$;
comment on function public.add_usage(jsonb) is
    'Service only. Add what processes used since their last report; returns {"reporters"}.';
revoke all on function public.add_usage(jsonb) from public, anon, authenticated;
grant execute on function public.add_usage(jsonb) to service_role;
