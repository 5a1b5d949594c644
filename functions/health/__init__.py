"""health: a sign of life."""
