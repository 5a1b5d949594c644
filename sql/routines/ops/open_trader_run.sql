create or replace function ops.open_trader_run(
    venue text, "interval" text, closed_at timestamptz, trader_id bigint
)
returns void
language plpgsql
security definer
set search_path = ''
as $$
-- Make the run of one trader for one slot (after a save, or by hand). One that is over is opened
-- anew if the trader was changed after it was claimed: the new rule has not been evaluated there.
-- None is made for a close at which the trader is not due.
declare
    changed_at timestamptz;
    trader_cadence text;
begin
    select traders.updated_at, traders.cadence
    into changed_at, trader_cadence
    from public.traders
    where traders.id = open_trader_run.trader_id
        and traders.venue = open_trader_run.venue
        and traders."interval" = open_trader_run."interval";
    if changed_at is null then
        raise sqlstate 'PT404' using
            message = format(
                'expected a trader %s on %s %s, found none', trader_id, venue, "interval"
            ),
            hint = 'trader_id';
    end if;
    if not ops.is_due(trader_cadence, "interval", closed_at) then
        return;
    end if;
    insert into ops.runs as kept (venue, "interval", closed_at, trader_id, origin)
    values (
        open_trader_run.venue,
        open_trader_run."interval",
        open_trader_run.closed_at,
        open_trader_run.trader_id,
        case
            when now() - open_trader_run.closed_at > interval '90 seconds'
            then 'backfill'
            else 'live'
        end
    )
    on conflict on constraint runs_slot_is_unique do update
    set
        status = 'open',
        attempt = 0,
        claim_token = null,
        lease_until = null,
        finished_at = null,
        frame_revision = null,
        complete = null,
        missing_instruments = '{}',
        error = null,
        origin = excluded.origin,
        opened_at = now()
    where kept.status in ('finished', 'failed')
        and coalesce(kept.claimed_at, kept.opened_at) <= changed_at;
end
$$;
comment on function ops.open_trader_run(text, text, timestamptz, bigint) is
    'Make, or open again, the run of one trader for a slot it is due at; PT404 without a trader.';
revoke all on function ops.open_trader_run(text, text, timestamptz, bigint)
from public, anon, authenticated;
