"""Board images -> cameras. Camera and CameraRig live here."""

from .cameras import Camera, CameraRig

__all__ = ["Camera", "CameraRig"]
