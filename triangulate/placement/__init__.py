"""Cameras placed by what they film: poses from keypoints alone, their scale from known lengths, up from the floor.

Imports calibration's report, triangulate.points, triangulate.rig_refinement and the floors below triangulate."""
