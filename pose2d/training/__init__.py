"""Training of the detector: crops, augmentation, losses, the training loop.

Imports pose2d.networks and pose2d.inference and the floors below pose2d."""
