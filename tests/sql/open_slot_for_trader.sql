-- A run of one trader: for the last close after a save, again only if the trader was changed.
begin;
select plan(8);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader, tap.new_trader(:'ann') as other
\gset
select tap.claim(tap.slot(), trader => :trader) as claim
\gset
select is(:'claim'::jsonb -> 'run' -> 'trader_id', to_jsonb(:trader), 'names its trader');
select is(jsonb_array_length(:'claim'::jsonb -> 'traders'), 1, 'and brings no other');
select is(
    (:'claim'::jsonb ->> 'traders_revision')::integer, -1,
    'under a revision that is never current: a list of one must not be kept for the shard'
);
select is(
    tap.emit(
        :'claim',
        jsonb_build_array(tap.signal(:trader, 'BTCUSDT'), tap.signal(:other, 'BTCUSDT'))
    ),
    '{"inserted": 1, "duplicates": 0, "cooldown": 0, "disabled": 1, "overflow": 0}',
    'stores signals of that trader only'
);
select is(
    public.open_slot('binance', '1m', tap.ms(tap.slot()), :trader) -> 'runs' -> 0 ->> 'status',
    'finished', 'nothing changed: nothing to do'
);
select is(
    tap.emit_at(tap.slot(), jsonb_build_array(tap.signal(:trader, 'BTCUSDT'))) ->> 'duplicates',
    '1',
    'the run of all traders does not double its signals'
);

-- In this transaction all changes have one time; the run was claimed by the clock.
update ops.runs set claimed_at = now() - interval '1 second';
select public.store_trader(:'ann', jsonb_build_object('id', :trader, 'rule', 'rsi(14) < 10'));
select is(
    public.open_slot('binance', '1m', tap.ms(tap.slot()), :trader) -> 'runs' -> 0 ->> 'status',
    'open', 'a changed rule is evaluated on the same close'
);
select is(
    tap.claim(tap.slot(), trader => :trader) -> 'run' -> 'frame_revision', 'null',
    'as if for the first time'
);

select * from finish();
rollback;
