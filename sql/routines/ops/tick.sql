create or replace function ops.tick(at timestamptz default now())
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Once a minute: make the slots that are owed, then name everything unfinished to
-- trigger_executions in one signed call. Twice in a minute, late, or not at all for a while:
-- the same slots exist afterwards, and claims see to it that each is worked on once.
-- What it did is kept in ops.ticks. Returns {"opened", "dispatched", "request_id"}.
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
    perform ops.note_replies(at);
    insert into ops.ticks (fired_at, opened_count, run_ids, request_id, error)
    values (
        at,
        opened_count,
        case
            when request_id is null then '{}'
            else array(select (named ->> 'run_id')::bigint from jsonb_array_elements(runs) as named)
        end,
        request_id,
        left(failure, 2000)
    );
    return jsonb_build_object(
        'opened', opened_count,
        'dispatched', case when request_id is null then 0 else jsonb_array_length(runs) end,
        'request_id', request_id
    );
end
$$;
comment on function ops.tick(timestamptz) is
    'Scheduled each minute: make owed slots, call trigger_executions with all unfinished runs.';
revoke all on function ops.tick(timestamptz) from public, anon, authenticated;
