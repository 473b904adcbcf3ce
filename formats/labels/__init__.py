"""Labelled frames: reading what labelling tools write, writing projects to label."""
