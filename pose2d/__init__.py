"""The pose2d part."""
