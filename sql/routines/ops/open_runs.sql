create or replace function ops.open_runs(
    venue text, "interval" text, closed_ats timestamptz[], opened_at timestamptz
)
returns integer
language plpgsql
security definer
set search_path = ''
as $$
-- Make the runs of slots that have none, one a shard, and return how many were made.
-- A slot's shards are made at once and under a lock: its shard count can never be two numbers.
-- Nothing is made while no trader is enabled on the interval.
declare
    shards_count integer;
    opened_count integer;
begin
    perform pg_advisory_xact_lock(
        hashtextextended('closebell.open_runs:' || venue || ':' || "interval", 0)
    );
    select ceil(count(*)::numeric / ops.setting('shard_traders_max')::integer)
    into shards_count
    from public.traders
    where traders.venue = open_runs.venue
        and traders."interval" = open_runs."interval"
        and traders.enabled;

    insert into ops.runs (venue, "interval", closed_at, shard, shard_count, origin, opened_at)
    select
        open_runs.venue,
        open_runs."interval",
        slot.closed_at,
        shards.shard,
        shards_count,
        case
            when open_runs.opened_at - slot.closed_at > interval '90 seconds' then 'backfill'
            else 'live'
        end,
        open_runs.opened_at
    from unnest(closed_ats) as slot (closed_at)
    cross join generate_series(0, shards_count - 1) as shards (shard)
    where not exists (
        select
        from ops.runs
        where runs.venue = open_runs.venue
            and runs."interval" = open_runs."interval"
            and runs.closed_at = slot.closed_at
            and runs.trader_id is null
    );
    get diagnostics opened_count = row_count;
    return opened_count;
end
$$;
comment on function ops.open_runs(text, text, timestamptz[], timestamptz) is
    'Make the missing runs of slots (one a shard); returns their count.';
revoke all on function ops.open_runs(text, text, timestamptz[], timestamptz)
from public, anon, authenticated;
