"""2D points that pose-estimation tools predicted, as one labelled dataset."""
