create or replace function ops.count_lines(
    stored integer default 0,
    bytes bigint default 0,
    sampled integer default 0,
    dropped integer default 0
)
returns void
language plpgsql
security definer
set search_path = ''
as $$
-- Add to today's counts of log lines. Takes any row of today that no other writer holds, or makes
-- one: a writer never waits for another's transaction.
declare
    today date := (clock_timestamp() at time zone 'UTC')::date;
begin
    update ops.log_days
    set
        lines_count = log_days.lines_count + stored,
        bytes_count = log_days.bytes_count + bytes,
        sampled_count = log_days.sampled_count + sampled,
        dropped_count = log_days.dropped_count + dropped
    where log_days.id = (
        select free.id
        from ops.log_days as free
        where free.day = today
        order by free.id
        limit 1
        for update skip locked
    );
    if not found then
        insert into ops.log_days (day, lines_count, bytes_count, sampled_count, dropped_count)
        values (today, stored, bytes, sampled, dropped);
    end if;
end
$$;
comment on function ops.count_lines(integer, bigint, integer, integer) is
    'Add to today''s counts of log lines, without waiting for other writers.';
revoke all on function ops.count_lines(integer, bigint, integer, integer)
from public, anon, authenticated;
