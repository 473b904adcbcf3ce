"""Several animals: whose observations are whose, in every view and frame."""
