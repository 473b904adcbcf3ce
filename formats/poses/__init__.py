"""3D poses on disk."""
