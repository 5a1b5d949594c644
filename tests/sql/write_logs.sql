-- Functions append log lines in batches; levels of Python are understood, too much is refused.
begin;
select plan(7);

select tap.act_as_role('service_role');
select is(
    public.write_logs('[
        {"logged_at": "2026-11-21T03:00:00+00:00", "source": "functions", "level": "warning",
         "event": "run_given_back", "run_id": 7, "trader_id": null,
         "fields": {"code": "StaleData"}},
        {"source": "functions", "level": "info", "event": "run_finished"}
    ]'),
    '{"inserted": 2, "sampled": 0, "dropped": 0}', 'two lines'
);
select is(
    public.write_logs(to_jsonb('[{"source": "s", "level": "error", "event": "e"}]'::text)),
    '{"inserted": 1, "sampled": 0, "dropped": 0}', 'as a JSON string too'
);
select is(public.write_logs('[]'), '{"inserted": 0, "sampled": 0, "dropped": 0}', 'none');
select throws_ok(
    $$ select public.write_logs((select jsonb_agg('{}'::jsonb) from generate_series(1, 1001))) $$,
    'PT400', 'expected at most 1000 lines, was 1001'
);
select throws_ok($$ select public.write_logs('[{"level": "loud"}]') $$, 'PT400');
select is(
    public.write_logs(jsonb_build_array(jsonb_build_object(
        'source', 's', 'level', 'info', 'event', repeat('x', 500),
        'fields', jsonb_build_object(
            'text', (select string_agg(md5(n::text), '') from generate_series(1, 4000) as n)
        )
    ))),
    '{"inserted": 1, "sampled": 0, "dropped": 0}', 'what is too long is cut, not lost'
);
reset role;
select results_eq(
    'select level, event, run_id, fields ->> ''code'' from ops.function_logs where run_id = 7',
    $$ values ('warn', 'run_given_back', 7::bigint, 'StaleData') $$, 'as sent'
);

select * from finish();
rollback;
