create or replace function ops.setting(name text)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
-- Return the value of a setting as text: ops.setting('run_lease_s')::integer.
declare
    found_value text;
begin
    select settings.value
    into found_value
    from ops.settings
    where settings.name = setting.name;
    if found_value is null then
        raise sqlstate 'PT500' using
            message = format('expected a setting named %s, found none', setting.name),
            hint = 'see ops.settings';
    end if;
    return found_value;
end
$$;
comment on function ops.setting(text) is 'Value of a row of ops.settings; PT500 if there is none.';
revoke all on function ops.setting(text) from public, anon, authenticated;
