create or replace function ops.has_due_trader(
    venue text, "interval" text, closed_at timestamptz
)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
    -- Whether any enabled trader is due at a close: without one, the slot is not made.
    -- Each distinct cadence is asked once, 'close' (the usual one) before all others.
    select exists (
        select
        from public.traders
        where traders.venue = has_due_trader.venue
            and traders."interval" = has_due_trader."interval"
            and traders.cadence = 'close'
            and traders.enabled
    ) or exists (
        select
        from ops.cadences
        where cadences.venue = has_due_trader.venue
            and cadences."interval" = has_due_trader."interval"
            and ops.is_due(cadences.cadence, cadences."interval", has_due_trader.closed_at)
    );
$$;
comment on function ops.has_due_trader(text, text, timestamptz) is
    'Whether any enabled trader of a venue and interval is due at a close.';
revoke all on function ops.has_due_trader(text, text, timestamptz)
from public, anon, authenticated;
