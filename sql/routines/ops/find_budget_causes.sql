create or replace function ops.find_budget_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
as $$
    -- One cause for each meter that will use more in a month than is free: a warning while it is
    -- a projection, an error once it has happened.
    select
        'budget_exceeded',
        budget.meter,
        case when judged.is_over then 'error' else 'warn' end,
        -- The name of a meter says its unit.
        format(
            case
                when judged.is_over then '%1$s: %3$s used this month, %2$s are free.'
                else '%1$s: %4$s in a month at this rate, %2$s are free; %3$s used so far.'
            end,
            budget.meter,
            to_char(budget.free_limit, 'FM999,999,999,999,999,990'),
            to_char(judged.used_month, 'FM999,999,999,999,999,990'),
            to_char(budget.projected_month, 'FM999,999,999,999,999,990')
        ),
        jsonb_build_object(
            'unit', budget.unit,
            'used_month', round(judged.used_month),
            'projected_month', round(budget.projected_month),
            'free_limit', budget.free_limit,
            'share', round(budget.share, 3)
        )
    from ops.budget
    cross join lateral (
        select
            -- On the first of a month nothing may have been used.
            coalesce(budget.used_month, 0) as used_month,
            coalesce(budget.used_month > budget.free_limit, false) as is_over,
            -- Of the first day as much as is over: a history that is loaded once, or again after
            -- a restart, is no month's rate. What is left of the day counts as if nothing came.
            least(extract(epoch from now() - budget.since) / 86400, 1) as part_of_day
    ) as judged
    where judged.is_over or budget.share * judged.part_of_day > 1
    order by budget.meter;
$$;
comment on function ops.find_budget_causes() is
    'Causes budget_exceeded: meters that use, or will use, more in a month than is free.';
revoke all on function ops.find_budget_causes() from public, anon, authenticated;
