"""The articulated animal: joint angles of a whole trajectory from pixels; the only room for jax, loaded when used."""
