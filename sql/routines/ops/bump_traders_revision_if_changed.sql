create or replace function ops.bump_traders_revision_if_changed()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- Most updates only count errors; those leave the lists of claim_run as they are.
begin
    if exists (
        select
        from new_rows
        inner join old_rows on old_rows.id = new_rows.id
        where (new_rows.enabled, new_rows.version, new_rows.enabled_at)
            is distinct from (old_rows.enabled, old_rows.version, old_rows.enabled_at)
    ) then
        update ops.traders_revision
        set revision = traders_revision.revision + 1, changed_at = now();
    end if;
    return null;
end
$$;
comment on function ops.bump_traders_revision_if_changed() is
    'Trigger after an update of traders: bump the revision if a list of claim_run differs.';
revoke all on function ops.bump_traders_revision_if_changed()
from public, anon, authenticated, service_role;

create or replace trigger traders_updated_change_lists
    after update on public.traders
    referencing old table as old_rows new table as new_rows
    for each statement
    execute function ops.bump_traders_revision_if_changed();
