-- Timings in plain English.
begin;
select plan(2);

select results_eq(
    $$
    select timing, ops.timing_text(timing)
    from unnest(array[
        '* * * * *', '*/5 * * * *', '0-59/5 * * * *', '17 * * * *', '0 * * * *', '5 */6 * * *',
        '0 3 * * *', '30 8,20 * * *', '0,30 9 * * *', '*/7 * * * *', '*/15 9-17 * * mon-fri',
        '* 4 * * *', '0 9 * * 1', '0 0 1 * *', '0 0 1,15 * *', '0 0 13 * fri', '0 0 */2 * 5',
        '0 0 1-31 * 5', '0 0 29 feb *', '0 0 * jan,jun-aug 0,7', '1,2 0-5 * * 6-7', 'every 5 s',
        'every 1 s'
    ]) as timing
    $$,
    $$ values
        ('* * * * *', 'every minute'),
        ('*/5 * * * *', 'every 5 minutes'),
        ('0-59/5 * * * *', 'every 5 minutes'),
        ('17 * * * *', 'every hour at :17'),
        ('0 * * * *', 'every hour at :00'),
        ('5 */6 * * *', 'every 6 hours at :05'),
        ('0 3 * * *', 'every day at 03:00'),
        ('30 8,20 * * *', 'every day at 08:30 and 20:30'),
        ('0,30 9 * * *', 'every day at 09:00 and 09:30'),
        ('*/7 * * * *', 'every hour at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56'),
        ('*/15 9-17 * * mon-fri', 'every 15 minutes of hours 9 to 17 on Monday to Friday'),
        ('* 4 * * *', 'every minute of hour 4'),
        ('0 9 * * 1', 'at 09:00 on Monday'),
        ('0 0 1 * *', 'at 00:00 on day 1 of the month'),
        ('0 0 1,15 * *', 'at 00:00 on days 1 and 15 of the month'),
        ('0 0 13 * fri', 'at 00:00 on day 13 of the month or on Friday'),
        ('0 0 */2 * 5', 'at 00:00 on days 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and'
            ' 31 of the month if it is Friday'),
        ('0 0 1-31 * 5', 'every day at 00:00'),
        ('0 0 29 feb *', 'at 00:00 on day 29 of the month in February'),
        ('0 0 * jan,jun-aug 0,7', 'at 00:00 on Sunday in January and June to August'),
        ('1,2 0-5 * * 6-7', 'at minutes 1 and 2 of hours 0 to 5 on Sunday and Saturday'),
        ('every 5 s', 'every 5 s'),
        ('every 1 s', 'every second') $$,
    'what people read'
);
select is(
    (select array_agg(distinct left(problem, 4)) from (
        select tap.outcome_of(format('select ops.next_runs(%L)', timing)) as problem
        from unnest(array[
            '', '* * * *', '* * * * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *',
            '* * * 0 *', '* * * 13 *', '* * * * 8', '*/0 * * * *', '*/60 * * * *', '5/15 * * * *',
            '9-3 * * * *', '1,,2 * * * *', ',1 * * * *', '1- * * * *', 'a * * * *', '* * * foo *',
            '* * * * jan', '* * $ * *', '@daily', '-1 * * * *', '1.5 * * * *', 'every s',
            'every 7 s', 'every 0 s', 'every 60 s', '5 seconds', '* * * * fri-mon', '**/2 * * * *'
        ]) as timing
    ) as refused),
    array['PT40'], 'what pg_cron would not run, or read as something else, is refused'
);

select * from finish();
rollback;
