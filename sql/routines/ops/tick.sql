create or replace function ops.tick(at timestamptz default now())
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Once a minute: make the slots that are owed, then name everything unfinished to
-- trigger_executions in one signed call. Twice in a minute, late, or not at all for a while:
-- the same slots exist afterwards, and claims see to it that each is worked on once.
-- Returns {"opened", "dispatched", "request_id", "run_ids", "error"}: runs made, runs named and
-- which, and why the call could not be made. Of a tick on schedule it is in ops.schedule_runs.
declare
    opened_count integer;
    runs jsonb;
    request_id bigint;
    failure text;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('closebell.tick', 0)) then
        return jsonb_build_object('skipped', 'another tick is running');
    end if;
    opened_count := ops.open_due_slots(at);
    runs := ops.list_claimable_runs(at);
    if jsonb_array_length(runs) > 0 and ops.setting('signals_enabled') = 'on' then
        begin
            request_id := ops.call_function(
                'trigger_executions', jsonb_build_object('runs', runs)
            );
        exception
            -- The slots must stay whatever is wrong with the call; the next tick calls again.
            when others then
                failure := sqlerrm;
                perform ops.write_log(
                    'error', 'dispatch_failed',
                    jsonb_build_object('message', sqlerrm, 'code', sqlstate)
                );
        end;
    end if;
    if request_id is null then
        runs := '[]';
    end if;
    return jsonb_build_object(
        'opened', opened_count,
        'dispatched', jsonb_array_length(runs),
        'request_id', request_id,
        'run_ids', jsonb_path_query_array(runs, '$[*].run_id'),
        'error', left(failure, 2000)
    );
end
$$;
comment on function ops.tick(timestamptz) is
    'Scheduled each minute: make owed slots, call trigger_executions with all unfinished runs.';
revoke all on function ops.tick(timestamptz) from public, anon, authenticated;
