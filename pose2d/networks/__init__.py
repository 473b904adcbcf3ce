"""Network architectures and their pretrained weights: images in, maps per keypoint out.

Imports no other room of pose2d."""
