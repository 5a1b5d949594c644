create or replace function ops.list_due_cadences(
    venue text, "interval" text, closed_at timestamptz
)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
    -- The cadences of enabled traders, other than close, that are due at a close, as an object:
    -- {cadence: before_bars}, bars back to the previous due close (1 to 500, ops.before_bars).
    -- Who is due is a property of the close and not of the list of traders, so that a list may be
    -- kept from close to close: claim_run hands out both.
    select coalesce(
        jsonb_object_agg(
            cadences.cadence,
            ops.before_bars(cadences.cadence, cadences."interval", list_due_cadences.closed_at)
        ),
        '{}'
    )
    from ops.cadences
    where cadences.venue = list_due_cadences.venue
        and cadences."interval" = list_due_cadences."interval"
        and cadences.cadence <> 'close'
        and ops.is_due(cadences.cadence, cadences."interval", list_due_cadences.closed_at);
$$;
comment on function ops.list_due_cadences(text, text, timestamptz) is
    'Cadences other than close that are due at a close: {cadence: bars back to the one before}.';
revoke all on function ops.list_due_cadences(text, text, timestamptz)
from public, anon, authenticated;
