"""2D points of recordings too long to be held whole: read from other tools' files by windows of time."""
