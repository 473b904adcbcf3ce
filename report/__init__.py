"""The report part."""
