"""Mathematics that knows no camera and no animal: linear algebra, robust statistics, optimisation, threads.

Imports no other part."""
