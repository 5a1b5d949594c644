create or replace function ops.pause(name text, until timestamptz, reason text)
returns text
language plpgsql
set search_path = ''
as $$
-- Skip the runs of a schedule until an instant ('infinity': until ops.resume), and say so.
-- What is under way ends. Refused: an unknown name (PT404), an instant that has passed, no
-- reason (PT400). Pausing again replaces the pause.
begin
    perform ops.lock_schedule(name);
    if (until > clock_timestamp()) is not true then
        raise sqlstate 'PT400' using
            message = format(
                'expected an instant in the future, was %s',
                coalesce(to_char(until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'null')
            ),
            hint = 'a time to come; ''infinity'' until somebody resumes it';
    end if;
    if (length(btrim(reason)) between 1 and 500) is not true then
        raise sqlstate 'PT400' using
            message = format(
                'expected a reason of 1 to 500 characters, was %s',
                case when btrim(reason) <> '' then length(reason) || ' long' else 'empty' end
            ),
            hint = 'whoever finds it paused wants to know why';
    end if;
    update ops.timetable
    set paused_until = until, pause_reason = btrim(reason)
    where timetable.name = pause.name;
    return format(
        '%s is paused until %s', name,
        case
            when isfinite(until)
                then to_char(until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
            else 'it is resumed'
        end
    );
end
$$;
comment on function ops.pause(text, timestamptz, text) is
    'Skip the runs of a schedule until an instant, for a reason; returns a sentence that says so.';
revoke all on function ops.pause(text, timestamptz, text) from public, anon, authenticated;
