create or replace function ops.list_claimable_runs(at timestamptz)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
    -- The runs a tick asks for, oldest close first: open ones, claims that ended, and finished
    -- ones whose missing instruments may have come. At most dispatch_runs_max; slots of the last
    -- 90 s always have a place, so that a backlog cannot keep the newest close waiting.
    -- Finished ones are named after about 1, 2, 4, … minutes, so that an instrument that stays away
    -- for hours costs a handful of attempts and not one a minute.
    -- A setting in a subselect is read once, not once a row.
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'run_id', chosen.id,
                'venue', chosen.venue,
                'interval', chosen."interval",
                'closed_at_ms', ops.to_ms(chosen.closed_at),
                'shard', chosen.shard
            )
            order by chosen.closed_at, chosen.id
        ),
        '[]'
    )
    from (
        select
            runs.id,
            runs.venue,
            runs."interval",
            runs.closed_at,
            runs.shard
        from ops.runs
        where (runs.status in ('open', 'claimed') or not runs.complete)
            and (
                runs.status = 'open'
                or (runs.status = 'claimed' and runs.lease_until < at)
                or (
                    runs.status = 'finished'
                    and runs.attempt < (select ops.setting('late_attempts_max')::integer)
                    and runs.finished_at
                    < at - interval '50 seconds' * power(2, greatest(runs.attempt, 1) - 1)
                    and runs.opened_at > at - make_interval(
                        secs => ops.interval_s(runs."interval")
                        * (select ops.setting('catch_up_slots_max')::integer)
                    )
                )
            )
        order by
            runs.closed_at > at - interval '90 seconds' desc,
            runs.closed_at,
            runs.id
        limit ops.setting('dispatch_runs_max')::integer
    ) as chosen;
$$;
comment on function ops.list_claimable_runs(timestamptz) is
    'What a tick dispatches: unfinished runs as a JSON array, oldest close first, bounded.';
revoke all on function ops.list_claimable_runs(timestamptz) from public, anon, authenticated;
