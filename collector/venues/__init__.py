"""One folder a venue, the same four names in each: messages, parse, subscribe, rest."""
