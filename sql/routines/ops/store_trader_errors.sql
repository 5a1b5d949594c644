create or replace function ops.store_trader_errors(run ops.runs, errors jsonb)
returns void
language plpgsql
security definer
set search_path = ''
as $$
-- Count the traders whose rule could not be evaluated, disable those that failed error_limit
-- times in a row and say why; clear the count of those that went well.
-- A trader counts once a run, however often the run is tried.
declare
    error_limit integer := ops.setting('error_limit')::integer;
begin
    with named as (
        select distinct on (traders.id)
            traders.id as trader_id,
            left(coalesce(nullif(item.code, ''), 'unknown'), 100) as code,
            left(coalesce(item.message, ''), 500) as message
        from jsonb_to_recordset(errors) as item (trader_id bigint, code text, message text)
        inner join public.traders on traders.id = item.trader_id
        where traders.enabled
            and traders.venue = run.venue
            and traders."interval" = run."interval"
        order by traders.id
    ),
    noted as (
        insert into ops.run_errors (run_id, trader_id, code, message)
        select run.id, named.trader_id, named.code, named.message
        from named
        on conflict on constraint run_errors_count_once_a_run do nothing
        returning run_errors.trader_id, run_errors.code, run_errors.message
    )
    update public.traders
    set
        error_count = traders.error_count + 1,
        last_error = noted.code || ': ' || noted.message,
        enabled = traders.error_count + 1 < error_limit,
        disabled_reason = case
            when traders.error_count + 1 >= error_limit then format(
                'disabled after %s failed evaluations in a row; the last: %s: %s',
                traders.error_count + 1, noted.code, noted.message
            )
        end
    from noted
    where traders.id = noted.trader_id;

    -- A second attempt saw a few instruments only: it proves nothing.
    if run.finished_at is not null then
        return;
    end if;
    update public.traders
    set error_count = 0
    where traders.error_count > 0
        and traders.enabled
        and traders.venue = run.venue
        and traders."interval" = run."interval"
        and case
            when run.trader_id is not null then traders.id = run.trader_id
            else traders.id % run.shard_count = run.shard and traders.enabled_at <= run.closed_at
        end
        and not exists (
            select
            from jsonb_to_recordset(errors) as item (trader_id bigint)
            where item.trader_id = traders.id
        );
end
$$;
comment on function ops.store_trader_errors(ops.runs, jsonb) is
    'Count, keep and act on the failed evaluations of a run; clear the count of the others.';
revoke all on function ops.store_trader_errors(ops.runs, jsonb) from public, anon, authenticated;
