"""Recordings of any length: what holds for the whole of one, and the tracks of a window of it."""
