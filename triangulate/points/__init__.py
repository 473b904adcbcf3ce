"""Triangulation of single points: linear, robust, by pairs of cameras; swaps, candidates, disagreement of cameras.

Imports the floors below triangulate; no other room of triangulate."""
