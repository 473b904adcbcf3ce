"""Samples of the exact posterior of trajectories with pose states, by Markov chains.

Imports triangulate.pose_states, .smoothing, .points and the floors below triangulate."""
