-- Wrong states are refused by constraints, whoever writes them.
begin;
select plan(32);

select tap.new_user('ann') as ann
\gset
select tap.new_trader(:'ann') as trader
\gset
select tap.emit_at(tap.slot(), jsonb_build_array(tap.signal(:trader, 'BTCUSDT')));
create temporary table wrong (relation text, assignment text, name text);
insert into wrong
values
    ('public.signals', $$"values" = '"{}"'$$, 'signals_values_is_object'),
    ('public.signals', $$"values" = '{"rsi(14)": "27.3"}'$$, 'signals_values_are_numbers'),
    ('public.signals', $$"values" = '{"rsi(14)": null}'$$, 'signals_values_are_numbers'),
    (
        'public.signals', $$"values" = jsonb_build_object(repeat('x', 20000), 1)$$,
        'signals_values_is_bounded'
    ),
    ('public.signals', 'price = 0', 'signals_price_is_positive'),
    ('public.signals', $$price = 'NaN'$$, 'signals_price_is_positive'),
    ('public.signals', $$price = 'Infinity'$$, 'signals_price_is_positive'),
    ('public.signals', $$instrument = 'BTC USDT'$$, 'signals_instrument_is_a_symbol'),
    ('public.signals', $$instrument = ''$$, 'signals_instrument_is_a_symbol'),
    ('public.signals', $$instrument = repeat('X', 81)$$, 'signals_instrument_is_a_symbol'),
    (
        'public.signals', $$closed_at = closed_at + interval '1 second'$$,
        'signals_closed_at_is_a_close'
    ),
    ('public.signals', $$"interval" = '2m'$$, 'signals_interval_is_known'),
    ('public.signals', $$trigger = 'cross'$$, 'signals_trigger_is_known'),
    ('public.signals', $$origin = 'unknown'$$, 'signals_origin_is_known'),
    ('public.signals', $$feed = 'test'$$, 'signals_feed_is_known'),
    ('public.signals', 'data_age_ms = -1', 'signals_data_age_ms_is_not_negative'),
    ('public.traders', 'cooldown_s = -1', 'traders_cooldown_s_is_at_most_30_days'),
    ('public.traders', $$universe = array['BTCUSDT', null]$$, 'traders_universe_is_symbols'),
    ('public.traders', $$universe = array['A', 'B,C']$$, 'traders_universe_is_symbols'),
    ('public.traders', $$disabled_reason = 'r'$$, 'traders_enabled_has_no_reason'),
    ('ops.runs', $$closed_at = closed_at + interval '1 millisecond'$$, 'runs_closed_at_is_a_close'),
    ('ops.runs', 'shard = 1', 'runs_shard_is_one_of_its_count'),
    ('ops.runs', $$status = 'claimed', lease_until = null$$, 'runs_claimed_has_a_holder'),
    ('ops.runs', 'finished_at = null', 'runs_finished_has_a_result'),
    ('ops.runs', $$missing_instruments = '{BTCUSDT}'$$, 'runs_complete_misses_nothing'),
    ('ops.runs', $$stats = '"{}"'$$, 'runs_stats_is_object'),
    ('ops.settings', $$value = 'maybe' where unit = 'switch'$$, 'settings_value_fits_unit'),
    ('ops.settings', $$value = '-1' where unit = 'count'$$, 'settings_value_fits_unit'),
    ('ops.settings', $$value = 'ftp://x' where unit = 'url'$$, 'settings_value_fits_unit'),
    ('public.tiers', 'traders_max = 0', 'tiers_traders_max_is_positive');

select throws_like(
    format('update %s set %s', wrong.relation, wrong.assignment),
    '%"' || wrong.name || '"%',
    wrong.name
)
from wrong;

select throws_ok(
    'insert into public.signals (user_id, trader_id, run_id, rule_version, venue, instrument,'
    ' "interval", closed_at, trigger, origin, feed, price, "values", frame_revision, data_age_ms)'
    ' select user_id, trader_id, run_id, rule_version, venue, instrument, "interval", closed_at,'
    ' trigger, origin, feed, price, "values", frame_revision, data_age_ms from public.signals',
    '23505', null, 'a signal happens once'
);
select throws_ok(
    'insert into ops.runs (venue, "interval", closed_at, origin)'
    ' select venue, "interval", closed_at, origin from ops.runs',
    '23505', null, 'a slot is unique, though its trader is null'
);

select * from finish();
rollback;
