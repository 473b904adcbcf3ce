"""Videos and pictures, read frame by frame."""
