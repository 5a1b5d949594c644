"""trigger_executions: waits for the frame of a slot and starts its runs."""
