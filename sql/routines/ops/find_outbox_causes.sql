create or replace function ops.find_outbox_causes()
returns setof ops.cause
language sql
stable
security definer
set search_path = ''
as $$
    -- A cause if notifications wait too long (error) or are too many (warn). Only where
    -- outbox_watched is on: without anybody who delivers, the outbox grows by design.
    select
        'outbox_growing',
        'outbox',
        case when waiting.age_s > limits.age_s_max then 'error' else 'warn' end,
        format(
            'Notifications wait to be delivered: %s, the oldest for %s min.',
            waiting.pending_count, floor(waiting.age_s / 60)
        ),
        jsonb_build_object(
            'pending_count', waiting.pending_count, 'oldest_age_s', floor(waiting.age_s)
        )
    from (
        select
            count(*) as pending_count,
            extract(epoch from now() - min(outbox.created_at)) as age_s
        from ops.outbox
        where outbox.status = 'pending' and ops.setting('outbox_watched') = 'on'
    ) as waiting
    cross join (
        select
            ops.setting('outbox_age_s_max')::integer as age_s_max,
            ops.setting('outbox_count_max')::integer as count_max
    ) as limits
    where waiting.age_s > limits.age_s_max or waiting.pending_count > limits.count_max;
$$;
comment on function ops.find_outbox_causes() is
    'Causes outbox_growing: notifications that wait too long, or are too many.';
revoke all on function ops.find_outbox_causes() from public, anon, authenticated;
