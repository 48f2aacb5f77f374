"""What is done to a batch of training images: one file each, named as in a spec."""
