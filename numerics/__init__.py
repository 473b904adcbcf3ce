"""Mathematics without cameras and animals: linear algebra, robust statistics, optimisation, threads.

Imports no other part."""
