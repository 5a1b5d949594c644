"""execute_traders: evaluates one shard of a slot and stores its signals."""
