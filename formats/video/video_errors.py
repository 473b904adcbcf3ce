"""The error that readers and writers of videos raise."""


class VideoError(ValueError):
    """A video or picture that cannot be used; the message names the file, the cause and the remedy."""
