create or replace function ops.status()
returns jsonb
language sql
stable
set search_path = ''
as $$
-- How everything is, in one answer: feeds, slots, traders, outbox, kill switch, schedules, open
-- incidents, budget, the newest backup (null: none yet). `closebell status` shows it.
select jsonb_build_object(
    'at', now(),
    'signals_enabled', ops.setting('signals_enabled') = 'on',
    'feeds', ops.status_feeds(),
    'traders', ops.status_traders(),
    'outbox', (
        select jsonb_build_object('pending_count', count(*), 'oldest_at', min(outbox.created_at))
        from ops.outbox
        where outbox.status = 'pending'
    ),
    'schedules', (
        select coalesce(jsonb_agg(to_jsonb(listed) order by listed.name), '[]')
        from (
            select
                schedules.name,
                schedules.timing_text,
                schedules.next_runs,
                schedules.last_run_at,
                schedules.last_status,
                schedules.last_http_status,
                schedules.average_ms,
                schedules.fail_streak,
                schedules.paused_until,
                schedules.reason
            from ops.schedules
        ) as listed
    ),
    'incidents', (
        select coalesce(jsonb_agg(to_jsonb(listed)), '[]')
        from (
            select
                incidents.id,
                incidents.kind,
                incidents.subject,
                incidents.severity,
                incidents.message,
                incidents.raised_at,
                incidents.last_seen_at,
                incidents.acknowledged_at,
                incidents.acknowledged_by
            from ops.incidents
            where incidents.closed_at is null
            order by incidents.severity = 'error' desc, incidents.raised_at desc
            limit 50
        ) as listed
    ),
    'budget', (
        select coalesce(jsonb_agg(to_jsonb(listed) order by listed.share desc), '[]')
        from (
            select
                budget.meter,
                budget.unit,
                budget.used_today,
                budget.used_month,
                budget.projected_month,
                budget.free_limit,
                budget.share
            from ops.budget
            where budget.share is not null
        ) as listed
    ),
    'backup', (
        select jsonb_build_object(
            'made_at', backups.made_at, 'target', backups.target, 'bytes', backups.bytes
        )
        from ops.backups
        order by backups.made_at desc
        limit 1
    )
)
$$;
comment on function ops.status() is
    'Feeds, slots of the last hour, traders, outbox, schedules, incidents, budget, backup: one'
    ' document.';
revoke all on function ops.status() from public, anon, authenticated;
