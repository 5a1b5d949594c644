create or replace function ops.every_s(timing text)
returns integer
language plpgsql
immutable
set search_path = ''
as $$
-- Return N of "every N s", null for anything else. N must divide a minute (PT400): pg_cron starts
-- such a schedule once a minute, and its marks are the same in every minute.
declare
    found_s integer := substring(timing from '^every ([0-9]{1,6}) s$')::integer;
begin
    if found_s is not null and (found_s not between 1 and 59 or 60 % found_s <> 0) then
        raise sqlstate 'PT400' using
            message = format(
                'expected every 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s, was every %s s', found_s
            ),
            hint = 'a minute and more: a cron expression, as "* * * * *"';
    end if;
    return found_s;
end
$$;
comment on function ops.every_s(text) is
    'Seconds of a timing "every N s", N dividing 60 (else PT400); null for a cron expression.';
revoke all on function ops.every_s(text) from public, anon, authenticated;
