"""Trajectories as the posterior mode of pixels under a prior over time and bone lengths, with covariances.

Imports triangulate.points and the floors below triangulate."""
