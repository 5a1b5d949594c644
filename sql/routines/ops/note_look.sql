create or replace function ops.note_look(is_scheduled boolean)
returns void
language plpgsql
security definer
set search_path = ''
as $$
-- Remember that somebody looks now, and which request is the oldest that waits: the queue of pg_net
-- keeps no times, so its age is the time since it was first seen there.
declare
    oldest_id bigint;
begin
    if to_regclass('net.http_request_queue') is not null then
        execute 'select min(id) from net.http_request_queue' into oldest_id;
    end if;
    update ops.watch_state
    set
        watched_at = now(),
        scheduled_at = case when is_scheduled then now() else watch_state.scheduled_at end,
        late_since = case when is_scheduled then null else watch_state.late_since end,
        oldest_request_id = oldest_id,
        oldest_request_since = case
            when oldest_id is null then null
            when oldest_id = watch_state.oldest_request_id then watch_state.oldest_request_since
            else now()
        end;
end
$$;
comment on function ops.note_look(boolean) is
    'Remember a look of ops.watch, and the oldest waiting request, in ops.watch_state.';
revoke all on function ops.note_look(boolean) from public, anon, authenticated;
