"""Where in the whole picture 2D points lie that a tool counted in a part of it, or in a resized one."""
