"""The command line: what an operator and a rule\x27s author type. Stands on shared alone."""
