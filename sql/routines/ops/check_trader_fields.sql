create or replace function ops.check_trader_fields(trader jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
-- Return the fields of a trader, its name trimmed, or refuse them (PT400, the field in the hint):
-- an unknown or misspelt one, one of another kind, and one that a new trader lacks.
-- Lengths and lists of words are the table's constraints.
declare
    wrong record;
begin
    select
        coalesce(expected.name, given.key) as field,
        case
            when expected.name is null then 'expected no such field'
            when given.key is null then 'expected it, was missing'
            else format('expected %s, was %s', expected.words, left(given.value::text, 100))
        end as problem
    into wrong
    from (
        values
            ('id', '^(null|"?[1-9][0-9]{0,17}"?)$', 'a whole number', false),
            ('name', '^"', 'a text', true),
            ('description', '^"', 'a text', false),
            ('rule', '^"', 'a text', true),
            ('venue', '^"', 'a text', true),
            ('universe', '^(null|\[("[^"]*"(, )?)+\])$', 'null or a list of symbols', false),
            ('interval', '^"', 'a text', true),
            ('trigger', '^"', 'a text', true),
            ('cooldown_s', '^[0-9]{1,9}$', 'whole seconds from 0', false),
            ('cadence', '^"', 'a text', false),
            ('enabled', '^(true|false)$', 'true or false', false)
    ) as expected (name, pattern, words, is_needed)
    full join jsonb_each(trader) as given on given.key = expected.name
    where expected.name is null
        or (given.key is null and expected.is_needed and trader ->> 'id' is null)
        or given.value::text !~ expected.pattern
    order by expected.name
    limit 1;
    if wrong.field is not null then
        raise sqlstate 'PT400' using
            message = format('%s: %s', wrong.field, wrong.problem),
            hint = left(wrong.field, 100);
    end if;
    if trader ? 'name' then
        trader := jsonb_set(trader, '{name}', to_jsonb(btrim(trader ->> 'name')));
    end if;
    return trader;
end
$$;
comment on function ops.check_trader_fields(jsonb) is
    'The fields of a trader as store_trader takes them, or PT400 with the field in the hint.';
revoke all on function ops.check_trader_fields(jsonb) from public, anon, authenticated;
