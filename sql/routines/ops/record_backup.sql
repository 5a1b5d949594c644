create or replace function ops.record_backup(
    made_at timestamptz, target text, bytes bigint, counts jsonb, checksum text
)
returns bigint
language plpgsql
security definer
set search_path = ''
as $$
-- Note a completed backup and forget all but the newest 1,000; return its id.
declare
    new_id bigint;
begin
    insert into ops.backups (made_at, target, bytes, counts, checksum)
    values (
        record_backup.made_at,
        record_backup.target,
        record_backup.bytes,
        record_backup.counts,
        record_backup.checksum
    )
    returning backups.id into new_id;
    delete from ops.backups
    where backups.id <= (
        select kept.id
        from ops.backups as kept
        order by kept.id desc
        offset 1000
        limit 1
    );
    return new_id;
end
$$;
comment on function ops.record_backup(timestamptz, text, bigint, jsonb, text) is
    'Note a completed backup in ops.backups; returns its id.';
revoke all on function ops.record_backup(timestamptz, text, bigint, jsonb, text)
from public, anon, authenticated;
