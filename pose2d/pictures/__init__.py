"""Pictures as arrays: affine maps and warping, and the pictures of labelled frames in memory.

Imports the floors below pose2d alone."""
