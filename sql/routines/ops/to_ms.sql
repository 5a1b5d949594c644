-- A body that is parsed once needs no search_path of its own, and is inlined (which is why the zone
-- is named: without it the expression is not immutable). Called for every trader of a claim.
create or replace function ops.to_ms(instant timestamptz)
returns bigint
language sql
immutable
parallel safe
return (extract(epoch from instant at time zone 'UTC') * 1000)::bigint;
comment on function ops.to_ms(timestamptz) is 'Milliseconds since the Unix epoch.';
revoke all on function ops.to_ms(timestamptz) from public, anon, authenticated;
