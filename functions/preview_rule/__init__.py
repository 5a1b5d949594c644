"""preview_rule: what a rule says on the newest bars, before it is anybody's."""
