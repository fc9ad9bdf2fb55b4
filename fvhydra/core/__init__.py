"""What every other package speaks of: cases, artifacts, runs, verdicts, errors, files."""
