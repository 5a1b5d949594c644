"""explain_rule: why a rule is what it is, for one instrument at one close."""
