create or replace function ops.watch(is_scheduled boolean default true)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- Look for everything abnormal: raise an incident for each cause that is found, close those whose
-- cause was not seen for their quiet_s, and ping the dead-man URL if no error is left.
-- A check that breaks breaks the whole look: nothing is closed, nobody is pinged, and
-- ops.watch_if_late tells of it. `is_scheduled`: false for looks in place of the schedule; they
-- ping nobody, because the timetable does not run.
-- Returns {"open", "closed", "pinged"}.
declare
    cause ops.cause;
    closed_count integer;
    was_pinged boolean := false;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('closebell.watch', 0)) then
        return jsonb_build_object('skipped', 'another look is under way');
    end if;
    perform ops.note_look(is_scheduled);
    for cause in
        select found.* from ops.find_slot_causes() as found
        union all
        select found.* from ops.find_feed_causes() as found
        union all
        select found.* from ops.find_schedule_causes() as found
        union all
        select found.* from ops.find_outbox_causes() as found
        union all
        select found.* from ops.find_cron_causes() as found
        union all
        select found.* from ops.find_request_causes() as found
        union all
        select found.* from ops.find_budget_causes() as found
        union all
        select found.* from ops.find_backup_causes() as found
    loop
        perform ops.raise_incident(
            cause.kind, cause.subject, cause.severity, cause.message, cause.details,
            -- A pause ends by hand or at its time: it does not come and go.
            quiet_s => case cause.kind when 'schedule_paused' then 30 end
        );
    end loop;
    closed_count := ops.close_quiet_incidents();
    if is_scheduled then
        was_pinged := ops.ping_deadman();
    end if;
    return jsonb_build_object(
        'open', (select count(*) from ops.incidents where incidents.closed_at is null),
        'closed', closed_count,
        'pinged', was_pinged
    );
end
$$;
comment on function ops.watch(boolean) is
    'Scheduled each minute: raise and close incidents, ping the dead-man URL; returns counts.';
revoke all on function ops.watch(boolean) from public, anon, authenticated;
