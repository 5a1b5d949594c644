create or replace function ops.check_outcome(outcome jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
-- Return an outcome with every part present and of its kind, or refuse it (PT400, the part in
-- the hint). What only some runs have may be left out: signals, overflow, errors, stats,
-- missing_instruments.
declare
    whole jsonb := jsonb_build_object(
        'signals', '[]'::jsonb, 'overflow', '{}'::jsonb, 'errors', '[]'::jsonb,
        'stats', '{}'::jsonb, 'missing_instruments', '[]'::jsonb, 'late', false,
        'traders_count', 0
    ) || outcome;
    part record;
begin
    for part in
        select expected.name, expected.kind
        from (
            values
                ('feed', 'string'), ('frame_revision', 'number'), ('complete', 'boolean'),
                ('missing_instruments', 'array'), ('traders_count', 'number'),
                ('evaluated_at_ms', 'number'), ('late', 'boolean'), ('signals', 'array'),
                ('overflow', 'object'), ('errors', 'array'), ('stats', 'object')
        ) as expected (name, kind)
        where jsonb_typeof(whole -> expected.name) is distinct from expected.kind
    loop
        raise sqlstate 'PT400' using
            message = format(
                'expected %s to be a JSON %s, was %s',
                part.name, part.kind, coalesce(jsonb_typeof(whole -> part.name), 'missing')
            ),
            hint = part.name;
    end loop;
    return whole;
end
$$;
comment on function ops.check_outcome(jsonb) is
    'The outcome of a run with every part present, or PT400 with the wrong part in the hint.';
revoke all on function ops.check_outcome(jsonb) from public, anon, authenticated;
