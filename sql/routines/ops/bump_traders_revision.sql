create or replace function ops.bump_traders_revision()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- Tell functions that the lists they keep are old. One row, so it is committed with its cause.
begin
    update ops.traders_revision
    set revision = traders_revision.revision + 1, changed_at = now();
    return null;
end
$$;
comment on function ops.bump_traders_revision() is
    'Trigger after traders came or went, or a tier changed: claim_run''s lists differ now.';
revoke all on function ops.bump_traders_revision() from public, anon, authenticated, service_role;

create or replace trigger traders_inserted_change_lists
    after insert on public.traders
    for each statement
    execute function ops.bump_traders_revision();

create or replace trigger traders_deleted_change_lists
    after delete on public.traders
    for each statement
    execute function ops.bump_traders_revision();

create or replace trigger tiers_updated_change_lists
    after update on public.tiers
    for each statement
    execute function ops.bump_traders_revision();

create or replace trigger profiles_tier_changes_lists
    after update of tier_id on public.profiles
    for each row
    when (old.tier_id is distinct from new.tier_id)
    execute function ops.bump_traders_revision();
