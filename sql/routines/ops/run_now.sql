create or replace procedure ops.run_now(name text, inout answer jsonb default null)
language plpgsql
as $$
-- Run a schedule once, now, in this session, also if it is paused. Returns the first row of its
-- command as JSON; an error of the command is raised. Refused: an unknown name (PT404), a
-- schedule whose run is under way (PT409; with overlap "queue" this waits for it).
-- No `set` clause: it would forbid the commits.
begin
    call ops.run_schedule(name, true, answer);
end
$$;
comment on procedure ops.run_now(text, jsonb) is
    'Run a schedule once, now; returns the first row of its command: call ops.run_now(''tick'');';
revoke all on procedure ops.run_now(text, jsonb) from public, anon, authenticated;
