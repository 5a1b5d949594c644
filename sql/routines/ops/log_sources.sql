create or replace function ops.log_sources()
returns text[]
language sql
immutable
parallel safe
set search_path = ''
as $$
    -- Whoever writes lines: the functions by name (a test compares with those there are),
    -- functions for what belongs to none, collector, schedules, postgres.
    select array[
        'collector', 'trigger_executions', 'execute_traders', 'save_trader', 'preview_rule',
        'explain_rule', 'backtest_rule', 'write_logs', 'metrics', 'functions', 'schedules', 'postgres'
    ];
$$;
comment on function ops.log_sources() is 'The sources of log lines that are known by name.';
revoke all on function ops.log_sources() from public, anon, authenticated;
