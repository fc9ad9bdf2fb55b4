"""Scoring clips: the pass over them, their results, gates on these, and comparing two evaluations."""
