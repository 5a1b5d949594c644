create or replace function ops.even_step(numbers integer[], size integer)
returns integer
language sql
immutable
set search_path = ''
as $$
    -- The n of "every n" if the numbers are 0, n, 2n, … up to `size`, which n divides; 1 for all.
    -- Null if they are spread otherwise, or are one number only.
    select step
    from (
        select size / cardinality(numbers) as step
        where cardinality(numbers) > 1 and size % cardinality(numbers) = 0
    ) as tried
    where numbers = array(select generate_series(0, size - 1, tried.step));
$$;
comment on function ops.even_step(integer[], integer) is
    'Distance of numbers that lie evenly on 0 to size; null if they do not.';
revoke all on function ops.even_step(integer[], integer) from public, anon, authenticated;
