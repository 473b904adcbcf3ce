"""The joint mode of a window, and other modes that a single ray leaves possible."""
