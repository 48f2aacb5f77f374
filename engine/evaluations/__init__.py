"""What is measured on a ticket: one file each, named as in a spec."""
