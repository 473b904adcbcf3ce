"""The session part."""
