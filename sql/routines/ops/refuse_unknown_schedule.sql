create or replace function ops.refuse_unknown_schedule(name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
-- Raise PT404 for a name that is no schedule; the hint lists those there are.
begin
    raise sqlstate 'PT404' using
        message = format('expected the name of a schedule, was %s', coalesce(name, 'null')),
        hint = 'there are: ' || coalesce(
            (
                select string_agg(timetable.name, ', ' order by timetable.name)
                from ops.timetable
            ),
            'none; apply sql/schedules.sql'
        );
end
$$;
comment on function ops.refuse_unknown_schedule(text) is
    'Raise PT404 for a name that is no schedule, with the names there are.';
revoke all on function ops.refuse_unknown_schedule(text) from public, anon, authenticated;
