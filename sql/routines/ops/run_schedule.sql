create or replace procedure ops.run_schedule(
    name text, by_hand boolean default false, inout answer jsonb default null
)
language plpgsql
as $$
-- What every job of pg_cron calls: run a schedule and write down how it went (ops.schedule_runs).
-- "every N s" runs at each mark of this minute and ends with it: pg_cron calls again.
-- Each step is committed, so that a run that dies leaves its row. A select is watched by an
-- exception block; a call may commit, which such a block would forbid: if it fails, so does this
-- procedure, and ops.close_dead_runs tells the tale. A failure is raised at the end, for pg_cron.
-- Returns the first row of the command as JSON. No `set` clause: it would forbid the commits.
declare
    step_s integer;
    mark timestamptz;
    minute_end timestamptz := date_trunc('minute', clock_timestamp()) + interval '1 minute';
    -- Longer than any run should take; pg_cron does not start another meanwhile.
    patient_until timestamptz := clock_timestamp() + interval '10 minutes';
    begun record;
    failure text;
    failure_code text;
    last_failure text;
begin
    select ops.every_s(timetable.timing)
    into step_s
    from ops.timetable
    where timetable.name = run_schedule.name;
    mark := date_bin(make_interval(secs => step_s), clock_timestamp(), timestamptz 'epoch');
    loop
        loop
            begun := ops.begin_run(name, by_hand, clock_timestamp() < patient_until);
            commit;
            exit when not begun.is_waiting;
            perform pg_sleep(0.2);
        end loop;
        if begun.run_id is not null then
            failure := null;
            if begun.command ~* '^\s*call\s' then
                -- A call that is written out may commit; one that is executed may not.
                execute format(
                    'create or replace procedure pg_temp.scheduled() language plpgsql as %L',
                    'begin ' || rtrim(begun.command, E' \n;') || E'\n; end'
                );
                commit;
                call pg_temp.scheduled();
            else
                begin
                    -- All rows are made, the first is kept.
                    execute format(
                        E'select jsonb_agg(to_jsonb(found)) -> 0 from (%s\n) as found',
                        rtrim(begun.command, E' \n;')
                    )
                    into answer;
                exception
                    when query_canceled or others then
                        failure := sqlerrm;
                        last_failure := failure;
                        failure_code := sqlstate;
                end;
            end if;
            perform ops.end_run(begun.run_id, failure, answer);
            commit;
        end if;
        exit when by_hand or step_s is null or failure_code = '57014';
        -- One mark after the other, also those that passed meanwhile: begin_run knows what to do.
        mark := mark + make_interval(secs => step_s);
        exit when mark >= minute_end or clock_timestamp() >= minute_end;
        perform pg_sleep(extract(epoch from mark - clock_timestamp()));
        commit;
    end loop;
    if failure_code is not null then
        raise exception using errcode = failure_code, message = last_failure;
    end if;
end
$$;
comment on procedure ops.run_schedule(text, boolean, jsonb) is
    'Run a schedule once, or at each of its seconds in this minute, and write down how it went.';
revoke all on procedure ops.run_schedule(text, boolean, jsonb) from public, anon, authenticated;
