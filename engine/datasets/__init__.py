"""Sets of images: one file each, named as in a spec."""
