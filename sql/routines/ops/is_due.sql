create or replace function ops.is_due(cadence text, "interval" text, closed_at timestamptz)
returns boolean
language plpgsql
immutable
strict
parallel safe
set search_path = ''
as $$
-- Whether a cadence is due at a close of an interval; see ops.due_closes.
begin
    return cadence = 'close' or exists (
        select
        from ops.due_closes(
            cadence,
            "interval",
            closed_at - make_interval(secs => ops.interval_s("interval")),
            closed_at
        )
    );
end
$$;
comment on function ops.is_due(text, text, timestamptz) is
    'Whether a cadence is due at a close of an interval.';
revoke all on function ops.is_due(text, text, timestamptz) from public, anon, authenticated;
