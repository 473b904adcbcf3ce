"""Animals as trees of rigid segments: declared, read, drawn, and their markers from joint angles (jax, loaded when
used)."""
