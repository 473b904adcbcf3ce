"""The triangulate part."""
