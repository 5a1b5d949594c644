create or replace function ops.log_text(
    source text, event text, trader_id bigint, symbol text, fields jsonb
)
returns text
language sql
immutable
parallel safe
set search_path = ''
as $$
    -- A line as `closebell logs` prints it, from its source on: what --grep is matched with.
    select concat_ws(
        ' ',
        source,
        event,
        'trader=' || trader_id,
        'symbol=' || symbol,
        (
            select string_agg(field.key || '=' || coalesce(field.value, 'null'), ' ')
            from jsonb_each_text(fields) as field (key, value)
        )
    );
$$;
comment on function ops.log_text(text, text, bigint, text, jsonb) is
    'A log line as text: source, event, key=value …; what --grep and --exclude are matched with.';
revoke all on function ops.log_text(text, text, bigint, text, jsonb) from public, anon, authenticated;
