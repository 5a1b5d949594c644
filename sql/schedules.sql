-- The whole timetable: what runs when (UTC). `python -m local.migrate up` makes cron.job equal
-- to this page; by hand, run it in an SQL editor. Its answer is what it changed: add, change,
-- remove, and unmanaged for a job of pg_cron that is not on this page.
-- Every command may run twice, late, or not at all for a while. overlap: what a run does that is
-- due while the one before is under way, skip or queue. How to manage it: docs/schedules.md.

select * from ops.apply((
    select jsonb_agg(to_jsonb(page))
    from (
        values
            ('tick', '* * * * *', 'skip', 'select ops.tick();',
                'Make the slots that are owed and call trigger_executions with all unfinished runs.'),
            ('rescue_runs', '* * * * *', 'skip', 'select ops.rescue_runs();',
                'Free runs whose holder fell silent, fail those beyond hope.'),
            ('watch', '* * * * *', 'skip', 'select ops.watch();',
                'Raise and close incidents; ping the dead-man URL while all is well.'),
            ('trim', '17 * * * *', 'skip', 'call ops.trim();',
                'Delete signals after 30 days; runs, logs and schedule history after 7.'),
            ('count_usage', '*/10 * * * *', 'skip', 'select ops.count_usage();',
                'Count rows written, size and messages for ops.budget; trim what is old.')
    ) as page (name, timing, overlap, command, description)
));
