"""How angles change in time: each by itself, or together as in recordings that a prior was trained with."""
