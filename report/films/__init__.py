"""Films of a session: all cameras in a grid with their keypoints, the skeleton in 3D, or both side by side."""
