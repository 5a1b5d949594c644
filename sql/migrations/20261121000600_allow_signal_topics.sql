-- Why: a private Realtime channel is authorised by probing row level security of
--   realtime.messages. One policy: a user may listen to the own topic. No policy lets anybody
--   send: messages come from the trigger on signals alone.
-- Locks: share row exclusive on realtime.messages (moments).
-- Way back: drop policy "users listen to their own signals" on realtime.messages.

set local lock_timeout = '5s';

-- The service owns the table and has security on; only where it is off may, and must, we act.
do $security$
begin
    if not (
        select pg_class.relrowsecurity
        from pg_catalog.pg_class
        where pg_class.oid = 'realtime.messages'::regclass
    ) then
        alter table realtime.messages enable row level security;
    end if;
end
$security$;

create policy "users listen to their own signals" on realtime.messages
    for select to authenticated
    using (
        messages.extension = 'broadcast'
        and (select realtime.topic()) = 'signals:' || (select auth.uid())::text
    );
