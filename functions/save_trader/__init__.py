"""save_trader: checks, dry-runs and stores a trader for its owner."""
