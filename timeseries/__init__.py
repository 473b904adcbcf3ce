"""Filters, gaps, derivatives and state-space smoothers of sampled signals; windows in seconds.

Imports datasets and numerics."""
