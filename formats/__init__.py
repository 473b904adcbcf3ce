"""The formats part."""
