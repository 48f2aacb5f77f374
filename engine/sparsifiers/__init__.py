"""Methods that decide which weights live: one file each, named as in a spec."""
