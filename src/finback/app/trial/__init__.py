"""Systems under test: what is expected, done and seen."""
