-- Why: whether there is a backup, and how old it is, must show without asking the place where it
--   lies: `closebell backup` writes a row when a file is complete.
-- Locks: none on existing tables.
-- Way back: drop table ops.backups;
--   delete from ops.settings where name = 'backup_overdue_after_days'.

set local lock_timeout = '5s';

create table ops.backups (
    id bigint generated always as identity
        constraint backups_pkey primary key,
    made_at timestamptz not null,
    target text not null
        constraint backups_target_is_1_to_2000_characters
        check (length(target) between 1 and 2000),
    bytes bigint not null
        constraint backups_bytes_is_positive check (bytes > 0),
    counts jsonb not null
        constraint backups_counts_is_object check (jsonb_typeof(counts) = 'object'),
    checksum text not null
        constraint backups_checksum_is_sha256 check (checksum ~ '^[0-9a-f]{64}$'),
    recorded_at timestamptz not null default now()
);
comment on table ops.backups is
    'A backup that was completed, newest 1,000; the watchdog reads the age of the newest.';
comment on column ops.backups.id is 'Identity.';
comment on column ops.backups.made_at is 'The instant whose state it holds, UTC.';
comment on column ops.backups.target is 'Where it was written: a path on its machine, or s3://….';
comment on column ops.backups.bytes is 'Size of the file, bytes.';
comment on column ops.backups.counts is 'Name of each table in it → rows, count.';
comment on column ops.backups.checksum is 'SHA-256 of the file, hexadecimal.';
comment on column ops.backups.recorded_at is 'When it was complete and this row stored, UTC.';
alter table ops.backups enable row level security;

insert into ops.settings (name, value, unit, description)
values
    ('backup_overdue_after_days', '2', 'days',
        'How old the newest backup may be, once there is a first one.');

revoke all on ops.backups from public, anon, authenticated, service_role;
revoke all on sequence ops.backups_id_seq from public, anon, authenticated, service_role;
