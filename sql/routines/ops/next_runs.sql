create or replace function ops.next_runs(
    timing text, after timestamptz default now(), runs_count integer default 3
)
returns timestamptz[]
language plpgsql
immutable
set search_path = ''
as $$
-- Return the next runs after an instant, ascending; fewer where no more come within 41 years
-- (29 February is a given weekday at least once in 40). An impossible timing is refused (PT400).
declare
    step_s integer := ops.every_s(timing);
begin
    if not isfinite(after) then
        return array[]::timestamptz[];
    elsif step_s is null then
        return array(
            select ops.cron_instants(
                timing, after, after + make_interval(hours => 41 * 366 * 24), runs_count
            )
        );
    end if;
    return array(
        select date_bin(make_interval(secs => step_s), after, timestamptz 'epoch')
            + make_interval(secs => step_s * place)
        from generate_series(1, runs_count) as place
    );
end
$$;
comment on function ops.next_runs(text, timestamptz, integer) is
    'The next runs of a timing (cron expression, UTC, or "every N s") after an instant, or PT400.';
revoke all on function ops.next_runs(text, timestamptz, integer) from public, anon, authenticated;
