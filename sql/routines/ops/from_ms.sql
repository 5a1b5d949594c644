create or replace function ops.from_ms(instant_ms bigint)
returns timestamptz
language sql
immutable
parallel safe
return to_timestamp(instant_ms / 1000.0);
comment on function ops.from_ms(bigint) is 'The instant of milliseconds since the Unix epoch.';
revoke all on function ops.from_ms(bigint) from public, anon, authenticated;
