"""Correction of a rig from the animal itself: cameras that moved, cameras with a frame offset.

Imports triangulate.points and the floors below triangulate."""
