"""Trajectories under a prior over poses in the manner of GIMBAL: states, headings and bone directions.

Imports triangulate.smoothing, triangulate.points and the floors below triangulate."""
