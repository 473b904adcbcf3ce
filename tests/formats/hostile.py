"""Files that a stranger made to run code, to fill the memory, never to end, or to read other files: name, and how."""

from __future__ import annotations

import gzip
import json
import os
import pickle  # noqa: TID251 - what hostile files are made of
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np

_BLOCK, _REPEATS = 1 << 24, 200  # bytes of zeros, 3.3 GB in all


class Command:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


def _canary(path: Path) -> Path:
    return path.with_name("executed")


def _deflated() -> bytes:
    """3.3 GB of zeros as a zlib stream of 3 MB."""
    packer = zlib.compressobj(9)
    begin = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(_BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + block * _REPEATS + packer.flush()


def _mat(kind: int, content: bytes) -> bytes:
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return head + struct.pack("<II", kind, len(content)) + content


def _mat_cells() -> bytes:
    """A list of 10^10 cells, none of which is there."""
    flags, dims = struct.pack("<IIII", 6, 8, 1, 0), struct.pack("<IIii", 5, 8, 10**5, 10**5)
    return _mat(14, flags + dims + struct.pack("<II", 1, 1) + b"x".ljust(8, b"\0"))


def _zip() -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("arr_0.npy", "w") as entry:
        for _ in range(10):
            entry.write(bytes(_BLOCK))
    return packed.getvalue()


def _hdf5(change: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    """An HDF5 file in the layouts of all readers, of which `change` spoils one array."""

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["node_names"] = np.array(["nose"], "S")
            file["point_scores"] = np.ones((1, 1, 3))
            change(file)
            series = file.require_group("processing/behavior/pose/nose")
            series.attrs["neurodata_type"] = "PoseEstimationSeries"
            if "data" not in series:
                series["data"] = np.ones((3, 3))
            frame = file.create_group("df")
            frame.attrs["pandas_type"] = "frame"
            frame.attrs["block0_items"] = np.void(pickle.dumps(Command(_canary(path))))

    return write


def _linked(file: h5py.File) -> None:
    other = Path(file.filename).with_name("secret.bin")
    with h5py.File(other, "w") as secret:
        secret["tracks"] = np.full((1, 2, 1, 3), 42.0)
    for name in ("tracks", "position", "frames"):
        file[name] = h5py.ExternalLink(str(other), "tracks")


def _outside(file: h5py.File) -> None:
    other = Path(file.filename).with_name("secret.bin")
    other.write_bytes(np.full(6, 42.0).tobytes())
    for name in ("tracks", "position", "frames"):
        file.create_dataset(name, (1, 2, 1, 3), "f8", external=[(str(other), 0, 48)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((1, 2, 1, 3), "f8")
    layout[...] = h5py.VirtualSource(Path(file.filename).with_name("secret.bin"), "tracks", (1, 2, 1, 3))
    for name in ("tracks", "position", "frames"):
        file.create_virtual_dataset(name, layout)


def _large(file: h5py.File) -> None:
    for name in ("tracks", "position", "frames"):
        file.create_dataset(name, (1, 2, 1, 10**11), "f8", chunks=(1, 2, 1, 1000), compression="gzip")
    file.create_dataset("processing/behavior/pose/nose/data", (10**11, 3), "f8", chunks=(1000, 3))


def _large_chunk(file: h5py.File) -> None:
    for name in ("tracks", "position", "frames"):
        file.create_dataset(name, (1, 2, 1, 3), "f8", chunks=(1, 2, 1, 10**8), maxshape=(1, 2, 1, None))


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def _bytes(make: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(make())


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"data": Command(_canary(path))}))


def _torch(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Command(_canary(path)), protocol=2))
        archive.writestr("archive/version", "3\n")


def _pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to(path.with_name("pipe"))


def _c3d() -> bytes:
    words = np.zeros(256, "<u2")
    words[:5] = 0x5002, 65535, 0, 1, 65535
    words[8] = 2
    return words.tobytes() + bytes(512)


_LAUGHS = "<!DOCTYPE a [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 12))
_TRC = "PathFileType\t4\nNumFrames\tNumMarkers\tUnits\n{n}\t1\tmm\nFrame#\tTime\tnose\n\n1\t0\t1\t2\t3\n"

HOSTILE: dict[str, Callable[[Path], object]] = {
    "a device without an end": lambda path: path.symlink_to("/dev/zero"),
    "a pipe into which nobody writes": _pipe,
    "a pickle": _pickled,
    "a torch file": _torch,
    "a tag of yaml": _text("%YAML:1.0\n---\nnames: !!python/object/apply:os.system ['touch executed']\n"),
    "entities of xml": _text(f"<?xml version='1.0'?>{_LAUGHS}]><a>&a11;</a>"),
    "opencv's matrix of 10^18 numbers": _text(
        "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n  rows: 1000000000\n  cols: 1000000000\n"
        "  dt: d\n  data: [ 1. ]\n"
    ),
    "a gzip bomb": _bytes(lambda: gzip.compress(bytes(_BLOCK)) * _REPEATS),
    "a zip bomb": _bytes(_zip),
    "a zlib bomb of matlab": _bytes(lambda: _mat(15, _deflated())),
    "10^10 cells of matlab": _bytes(_mat_cells),
    "deep json": _text('{"people": ' + "[" * 200_000),
    "deep xml": _text(f"<?xml version='1.0'?>\n<opencv_storage>{'<a>' * 100_000}"),
    "deep toml": _text("a = " + "[" * 200_000),
    "10^6 columns": _text("a," * 999_999 + "a\n" + "1," * 999_999 + "1\n"),
    "10^6 columns of deeplabcut": _text(
        "".join(f"{name}{',x,y' * 500_000}\n" for name in ("scorer", "bodyparts", "coords", "0"))
    ),
    "a cell of 300,000 letters": _text("scorer," + "a" * 300_000 + "\n"),
    "10^11 frames of deeplabcut": _text(f"scorer,a,a\nbodyparts,n,n\ncoords,x,y\n0,1,2\n{10**11},3,4\n"),
    "10^11 frames of anipose": _text(f"n_x,n_y,n_z,fnum\n1,2,3,0\n1,2,3,{10**11}\n"),
    "10^12 rows of trc": _text(_TRC.format(n=10**12)),
    "10^9 points of c3d": _bytes(_c3d),
    "links to another file": _hdf5(_linked),
    "numbers in another file": _hdf5(_outside),
    "a virtual array": _hdf5(_virtual),
    "an array of 10^11 frames": _hdf5(_large),
    "a chunk of 1.6 GB": _hdf5(_large_chunk),
    "nothing": _text(""),
    "any bytes": _bytes(lambda: np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()),
    "json of the wrong kinds": _text(json.dumps({"cameras": [{"name": [], "K": {}}], "people": [{"a": None}]})),
}
