-- Helpers that keep the pgTAP files short; in a schema of their own, so that no dump and no
-- catalogue check of public and ops sees them. Installed once by conftest.py.

create schema tap;
create extension pgtap with schema tap;
create extension plpgsql_check with schema tap;
grant usage on schema tap to public;

-- Sign in as a user: the role, and both ways in which claims arrive.
create function tap.act_as(user_id uuid)
returns void
language sql
as $$
    select set_config('role', 'authenticated', true),
        set_config('request.jwt.claim.sub', user_id::text, true),
        set_config(
            'request.jwt.claims',
            jsonb_build_object('sub', user_id, 'role', 'authenticated')::text,
            true
        );
$$;

-- anon, service_role, or authenticated by a token that names no user.
create function tap.act_as_role(name text)
returns void
language sql
as $$
    select set_config('role', name, true),
        set_config('request.jwt.claim.sub', '', true),
        set_config('request.jwt.claims', jsonb_build_object('role', name)::text, true);
$$;

create function tap.new_user(name text, tier text default 'free')
returns uuid
language plpgsql
as $$
declare
    new_id uuid := gen_random_uuid();
begin
    insert into auth.users (id, email) values (new_id, name || '@example.org');
    update public.profiles set tier_id = tier where user_id = new_id;
    return new_id;
end
$$;

-- A trader that has been running since yesterday.
create function tap.new_trader(
    owner uuid,
    name text default 'a trader',
    "interval" text default '1m',
    trigger text default 'while',
    cooldown_s integer default 0,
    enabled boolean default true
)
returns bigint
language sql
as $$
    insert into public.traders
        (user_id, name, rule, venue, "interval", trigger, cooldown_s, enabled, enabled_at)
    values
        (owner, name, 'rsi(14) < 30', 'binance', "interval", trigger, cooldown_s, enabled,
            now() - interval '1 day')
    returning id;
$$;

-- The newest slot of 1m, or one so many minutes before it.
create function tap.slot(minutes_back integer default 0)
returns timestamptz
language sql
as $$
    select date_trunc('minute', now()) - make_interval(mins => minutes_back);
$$;

create function tap.ms(instant timestamptz)
returns bigint
language sql
as $$
    select (extract(epoch from instant) * 1000)::bigint;
$$;

-- Open a slot and claim its first run.
create function tap.claim(
    slot timestamptz, "interval" text default '1m', trader bigint default null
)
returns jsonb
language sql
as $$
    select public.claim_run(
        (public.open_slot('binance', "interval", tap.ms(slot), trader)
            -> 'runs' -> 0 ->> 'run_id')::bigint,
        'test'
    );
$$;

create function tap.signal(trader bigint, instrument text, extra jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'trader_id', trader,
        'rule_version', (select version from public.traders where id = trader),
        'instrument', instrument,
        'price', '101.25',
        'trigger', coalesce((select t.trigger from public.traders as t where id = trader), 'while'),
        'values', jsonb_build_object('close', 101.25, 'rsi(14)', 27.31, '30', 30)
    ) || extra;
$$;

-- Finish a claimed run half a second after its close; `extra` replaces parts of the outcome.
create function tap.emit(claim jsonb, signals jsonb default '[]', extra jsonb default '{}')
returns jsonb
language sql
as $$
    select public.emit_signals(
        (claim -> 'run' ->> 'run_id')::bigint,
        (claim ->> 'claim_token')::uuid,
        jsonb_build_object(
            'feed', 'simulated',
            'frame_revision', 1,
            'complete', true,
            'missing_instruments', '[]'::jsonb,
            'traders_count', 1,
            'evaluated_at_ms', (claim -> 'run' ->> 'closed_at_ms')::bigint + 500,
            'late', false,
            'matched_count', jsonb_array_length(signals),
            'signals', signals,
            'overflow', '{}'::jsonb,
            'errors', '[]'::jsonb,
            'stats', '{"load_ms": 1.5}'::jsonb
        ) || extra
    );
$$;

-- Claim, emit and forget: a slot with these signals.
create function tap.emit_at(slot timestamptz, signals jsonb default '[]', extra jsonb default '{}')
returns jsonb
language sql
as $$
    select tap.emit(tap.claim(slot), signals, extra);
$$;

-- What comes of a statement: 'denied', 'impossible' (on a view that nobody can write), an
-- SQLSTATE, or the count of rows it touched.
create function tap.outcome_of(statement text)
returns text
language plpgsql
as $$
declare
    rows_count bigint;
begin
    execute statement;
    get diagnostics rows_count = row_count;
    return rows_count || ' rows';
exception
    when insufficient_privilege then return 'denied';
    when object_not_in_prerequisite_state or wrong_object_type then return 'impossible';
    when others then return sqlstate;
end
$$;

-- The hint of the error a statement raises.
create function tap.hint_of(statement text)
returns text
language plpgsql
as $$
declare
    found_hint text;
begin
    execute statement;
    return 'no error';
exception
    when others then
        get stacked diagnostics found_hint = pg_exception_hint;
        return sqlstate || ' ' || found_hint;
end
$$;

-- No timetable runs beside the tests. Without this, whatever opens a slot would look in its place
-- (ops.watch_if_late) as soon as a session lasts longer than cron_silent_after_s.
update ops.watch_state set scheduled_at = now() + interval '1 day';
