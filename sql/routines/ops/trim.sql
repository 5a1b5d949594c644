create or replace procedure ops.trim(batches_max integer default 200)
language plpgsql
as $$
-- Delete what is past its retention, batch after batch, each committed: locks stay short and a
-- long backlog is worked off over several hours. No `set` clause and no security definer: either
-- would forbid the commits.
begin
    for batch in 1 .. batches_max loop
        exit when ops.trim_batch() = 0;
        commit;
    end loop;
end
$$;
comment on procedure ops.trim(integer) is
    'Scheduled hourly: signals 30 days; runs, logs and schedule history 7 days (ops.settings).';
revoke all on procedure ops.trim(integer) from public, anon, authenticated;
