"""Training objectives: one file each, named as in a spec."""
