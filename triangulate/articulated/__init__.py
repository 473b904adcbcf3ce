"""The articulated animal: joint angles of a whole trajectory from pixels."""
