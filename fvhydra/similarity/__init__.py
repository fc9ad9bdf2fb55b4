"""How alike two artifacts are: pure functions on arrays, and their streaming forms."""
