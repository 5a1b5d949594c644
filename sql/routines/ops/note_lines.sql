create or replace function ops.note_lines()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- Once a statement, however many lines it stores: count them, and wake those who follow.
declare
    stored integer;
    bytes bigint;
begin
    select
        count(*),
        sum(ops.line_bytes(new_lines.fields))
    into stored, bytes
    from new_lines;
    if stored > 0 then
        perform ops.count_lines(stored => stored, bytes => bytes);
        perform pg_notify('closebell_logs', '');
    end if;
    return null;
end
$$;
comment on function ops.note_lines() is
    'Trigger after lines are stored: count them for the day''s cap, wake `closebell logs -f`.';
revoke all on function ops.note_lines() from public, anon, authenticated, service_role;

create or replace trigger lines_are_noted
    after insert on ops.function_logs
    referencing new table as new_lines
    for each statement
    execute function ops.note_lines();
