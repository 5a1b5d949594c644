create or replace function ops.unwrap_json(document jsonb, field text, kind text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
-- Return a JSON argument as the object or array it should be (`kind`), or refuse it with PT400.
-- Some REST servers pass a JSON argument as a JSON string; unwrapped, the rest cannot tell.
declare
    unwrapped jsonb := document;
begin
    if jsonb_typeof(unwrapped) = 'string' then
        begin
            unwrapped := (unwrapped #>> '{}')::jsonb;
        exception
            when invalid_text_representation then
                raise sqlstate 'PT400' using
                    message = format('expected %s to be JSON, was not: %s', field, sqlerrm),
                    hint = field;
        end;
    end if;
    if unwrapped is null or jsonb_typeof(unwrapped) <> kind then
        raise sqlstate 'PT400' using
            message = format(
                'expected %s to be a JSON %s, was %s',
                field, kind, coalesce(jsonb_typeof(unwrapped), 'nothing')
            ),
            hint = field;
    end if;
    return unwrapped;
end
$$;
comment on function ops.unwrap_json(jsonb, text, text) is
    'A JSON argument of the wanted kind, unwrapped if it came as a string; else PT400.';
revoke all on function ops.unwrap_json(jsonb, text, text) from public, anon, authenticated;
