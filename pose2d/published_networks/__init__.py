"""The networks of other programs, written here under the names of their weights, behind one interface.

Imports the room `networks` of pose2d alone."""
