create or replace function ops.status()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
-- How everything is, in one answer: feeds, slots, traders, outbox, kill switch, and, where the
-- schema has them (else null), schedules, open incidents, budget. `closebell status` shows it.
declare
    schedules_view regclass;
    incidents_table regclass := to_regclass('ops.incidents');
    budget_view regclass := to_regclass('ops.budget');
    schedules jsonb;
    incidents jsonb;
    budget jsonb;
begin
    if to_regprocedure('ops.list_schedules()') is not null then
        schedules_view := to_regclass('ops.schedules');
        execute format($query$
            select coalesce(jsonb_agg(to_jsonb(listed) order by listed.name), '[]')
            from (
                select name, timing_text, next_runs, last_run_at, last_status, last_http_status,
                    average_ms, fail_streak, paused_until, reason
                from %s
            ) as listed
        $query$, schedules_view) into schedules;
    end if;
    if incidents_table is not null then
        execute format($query$
            select coalesce(jsonb_agg(to_jsonb(listed)), '[]')
            from (
                select id, kind, subject, severity, message, raised_at, last_seen_at,
                    acknowledged_at, acknowledged_by
                from %s
                where closed_at is null
                order by severity = 'error' desc, raised_at desc
                limit 50
            ) as listed
        $query$, incidents_table) into incidents;
    end if;
    if budget_view is not null then
        execute format($query$
            select coalesce(jsonb_agg(to_jsonb(listed) order by listed.share desc), '[]')
            from (
                select meter, unit, used_today, used_month, projected_month, free_limit, share
                from %s
                where share is not null
            ) as listed
        $query$, budget_view) into budget;
    end if;
    return jsonb_build_object(
        'at', now(),
        'signals_enabled', ops.setting('signals_enabled') = 'on',
        'feeds', ops.status_feeds(),
        'traders', ops.status_traders(),
        'outbox', (
            select jsonb_build_object('pending_count', count(*), 'oldest_at', min(created_at))
            from ops.outbox
            where status = 'pending'
        ),
        'schedules', schedules,
        'incidents', incidents,
        'budget', budget
    );
end
$$;
comment on function ops.status() is
    'Feeds, slots of the last hour, traders, outbox, schedules, incidents, budget: one document.';
revoke all on function ops.status() from public, anon, authenticated;
