"""backtest_rule: a rule over the history in Redis, reported while it runs."""
