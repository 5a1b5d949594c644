create or replace function ops.add_note(notes text, who text, note text)
returns text
language sql
immutable
set search_path = ''
as $$
    -- Return notes with one more line, "who: note"; the oldest characters give way.
    select case
        when coalesce(btrim(note), '') = '' then notes
        else right(
            concat_ws(e'\n', nullif(notes, ''), format('%s: %s', who, btrim(note))), 2000
        )
    end;
$$;
comment on function ops.add_note(text, text, text) is
    'The notes of an incident with one more line; unchanged if the note is empty.';
revoke all on function ops.add_note(text, text, text) from public, anon, authenticated;
