"""Which frames to label: the first ones, and the next ones after a reconstruction.

Imports the other rooms of pose2d and the floors below."""
