"""write_logs: stores the log lines of a part that does not reach Postgres, the collector."""
