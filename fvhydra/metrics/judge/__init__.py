"""What judges, people or models, said about pairs of clips."""
