"""Changes: the one way to write to a store. Prepare, review, apply."""
