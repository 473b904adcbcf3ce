"""What an HDF5 file declares beyond its own numbers: other files that it would read, chunks that fill the memory."""

from __future__ import annotations

import math
import os
from typing import Any

from .size_limit import oversize


def foreign_content(path: os.PathLike) -> str:
    """Why an HDF5 file is not read: it links to other files, or a chunk is huge; empty where all is its own.

    Nothing of another file is opened, no array is read.
    """
    import h5py

    with h5py.File(path, "r") as file:
        return file.visititems_links(_link) or file.visititems(_array) or ""


def _link(name: Any, link: Any) -> str | None:
    if type(link).__name__ != "ExternalLink":
        return None
    return (
        f"its '{_text(name)}' is a link to the file {link.filename}, which is not followed; write it with its own data"
    )


def _array(name: Any, node: Any) -> str | None:
    if not hasattr(node, "dtype"):  # a group
        return None
    if node.external or node.is_virtual:
        return f"its '{_text(name)}' lies in other files, which are not read; write it with its own data"
    # a chunk is unpacked whole, however little of it is asked for
    n_bytes = math.prod(node.chunks or (0,)) * node.dtype.itemsize
    return oversize(n_bytes, node.id.get_storage_size()) or None


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
