"""The body as a whole: its frame, rotation, centre of mass, path and speed.

Imports kinematics.angles, the flat modules of kinematics except plots, and the floors below."""
