"""Many recordings: batches on processes or a cluster, and their collected results."""
