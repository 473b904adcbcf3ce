"""The noise of a detector: learned from a truth or from residuals, how long errors last, outliers among two views.

Imports the floors below triangulate and `input_checks`; no other room of triangulate."""
