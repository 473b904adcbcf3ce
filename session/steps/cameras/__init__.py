"""The step "calibrate" and the recordings of boards that it takes.

May import what the steps may, and the step "predict": its points place cameras."""
