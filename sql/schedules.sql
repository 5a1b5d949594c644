-- The whole timetable: what runs when (UTC). `python -m local.migrate up` makes cron.job equal
-- to this page; by hand, run it in an SQL editor. Every command may run twice, late, or not at
-- all for a while. A job that is not on the page shows in: select * from ops.schedules_drift();

select ops.apply_schedules(jsonb_agg(to_jsonb(page))) as jobs_count
from (
    values
        ('tick', '* * * * *', 'select ops.tick();',
            'Make the slots that are owed and call trigger_executions with all unfinished runs.'),
        ('rescue_runs', '* * * * *', 'select ops.rescue_runs();',
            'Free runs whose holder fell silent, fail those beyond hope.'),
        ('watch_slots', '* * * * *', 'select ops.watch_slots();',
            'One warning for each slot that is missing or unfinished 90 s after its close.'),
        ('trim', '17 * * * *', 'call ops.trim();',
            'Delete signals after 30 days; runs, logs and schedule history after 7.'),
        ('count_usage', '*/10 * * * *', 'select ops.count_usage();',
            'Count rows written, size and messages for ops.budget; trim what is old.')
) as page (name, schedule, command, description);
