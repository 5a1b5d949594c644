create or replace function ops.check_command(command text)
returns void
language plpgsql
set search_path = ''
set check_function_bodies = on
as $$
-- Refuse (PT400) what a schedule could not run: anything but one select or call, one that does
-- not parse, and one that names a function, table or argument that is not there. Nothing runs:
-- Postgres checks it as the body of a procedure, which is gone at once.
begin
    if command !~* '^\s*(select|call)\s' or command ~ ';\s*\S' then
        raise sqlstate 'PT400' using
            message = format('expected a command of one select or call, was "%s"', command),
            hint = 'put the rest into a function';
    end if;
    execute format('create procedure pg_temp.checked_command() language sql as %L', command);
    execute 'drop procedure pg_temp.checked_command()';
exception
    when sqlstate 'PT400' then raise;
    when others then
        raise sqlstate 'PT400' using
            message = format('expected a command that can run, was "%s": %s', command, sqlerrm),
            hint = 'write names with their schema: select ops.tick();';
end
$$;
comment on function ops.check_command(text) is
    'Refuse with PT400 a command of a schedule that does not parse or names what is not there.';
revoke all on function ops.check_command(text) from public, anon, authenticated;
