create or replace function ops.refuse_empty_write()
returns trigger
language plpgsql
set search_path = ''
as $$
-- A write by a user that row level security reduced to nothing is an error, not a success with
-- 0 rows. Runs as the user (no security definer), so that cascades of the owner pass.
begin
    if current_user in ('anon', 'authenticated') and not exists (select from touched_rows) then
        raise sqlstate 'PT404' using
            message = format(
                'expected to %s a row of %s, found none of yours',
                lower(tg_op), tg_table_name
            ),
            hint = 'it does not exist, or belongs to somebody else';
    end if;
    return null;
end
$$;
comment on function ops.refuse_empty_write() is
    'Trigger after a user''s update or delete: PT404 if it touched no row.';
revoke all on function ops.refuse_empty_write() from public, anon, authenticated, service_role;

create or replace trigger traders_update_touches_rows
    after update on public.traders
    referencing new table as touched_rows
    for each statement
    execute function ops.refuse_empty_write();

create or replace trigger traders_delete_touches_rows
    after delete on public.traders
    referencing old table as touched_rows
    for each statement
    execute function ops.refuse_empty_write();

create or replace trigger profiles_update_touches_rows
    after update on public.profiles
    referencing new table as touched_rows
    for each statement
    execute function ops.refuse_empty_write();
