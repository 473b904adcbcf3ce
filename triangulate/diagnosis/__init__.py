"""Which views do not belong together, and why: reprojection and epipolar errors, and what would undo them.

Imports triangulate.points, triangulate.rig_refinement and the floors below triangulate."""
