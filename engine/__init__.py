"""Trains: from a run folder to winning tickets. Knows nothing of terminals."""
