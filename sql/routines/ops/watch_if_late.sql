create or replace function ops.watch_if_late()
returns void
language plpgsql
security definer
set search_path = ''
as $$
-- Look in place of the schedule if it has not looked for cron_silent_after_s: a silent pg_cron
-- cannot tell of itself. Called by all that comes by without cron: the collector's poke
-- (public.open_slot), an operator's dashboard (public.list_incidents), the command line.
-- While the schedule runs this is one read of one row. Never raises: the caller has work to do.
declare
    state ops.watch_state;
begin
    select watch_state.* into state from ops.watch_state;
    if state.scheduled_at > now() - make_interval(
        secs => ops.setting('cron_silent_after_s')::integer
    ) then
        return;
    end if;
    if state.late_since is null then
        update ops.watch_state set late_since = now() where watch_state.late_since is null;
    end if;
    -- As often as the schedule would, however many come by.
    if state.watched_at < now() - interval '50 seconds' then
        perform ops.watch(is_scheduled => false);
    end if;
exception
    when others then
        perform ops.raise_incident(
            'schedule_failing', 'watch', 'error',
            format('ops.watch() fails, so nothing else is watched: %s', sqlerrm),
            jsonb_build_object('code', sqlstate)
        );
end
$$;
comment on function ops.watch_if_late() is
    'Look in place of the schedule watch if that is late; for whoever comes by without cron.';
revoke all on function ops.watch_if_late() from public, anon, authenticated;
