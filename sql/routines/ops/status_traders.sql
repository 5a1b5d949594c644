create or replace function ops.status_traders()
returns jsonb
language sql
stable
set search_path = ''
as $$
-- How many traders there are, when one ran last, the last signal, and those that fail: with
-- errors in a row, or disabled with a reason; the ten worst.
select jsonb_build_object(
    'enabled_count', count(*) filter (where traders.enabled),
    'disabled_count', count(*) filter (where not traders.enabled),
    'stopped_count', count(*) filter (where traders.disabled_reason is not null),
    'failing_count', count(*) filter (where traders.enabled and traders.error_count > 0),
    -- Runs are opened in the order of their ids: the newest few hundred hold the last that ended.
    'last_run_at', (
        select max(newest.finished_at)
        from (select runs.finished_at from ops.runs order by runs.id desc limit 500) as newest
    ),
    'last_signal', (
        select jsonb_build_object(
            'created_at', signals.created_at,
            'instrument', signals.instrument,
            'origin', signals.origin,
            'trader', (select named.name from public.traders as named
                where named.id = signals.trader_id)
        )
        from public.signals
        order by signals.id desc
        limit 1
    ),
    'errors', coalesce(
        (
            select jsonb_agg(to_jsonb(worst))
            from (
                select
                    failing.id,
                    failing.name,
                    failing.enabled,
                    failing.error_count,
                    left(coalesce(failing.disabled_reason, failing.last_error), 200) as message
                from public.traders as failing
                where failing.error_count > 0
                order by failing.enabled desc, failing.error_count desc, failing.id
                limit 10
            ) as worst
        ),
        '[]'
    )
)
from public.traders
$$;
comment on function ops.status_traders() is
    'Part of ops.status(): counts of traders, last run and signal, the ten that fail most.';
revoke all on function ops.status_traders() from public, anon, authenticated;
