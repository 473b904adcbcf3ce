"""Write files atomically: into a temporary file in the same folder, which then replaces the old one."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

# errors of a full disk, and what to do
_NO_ROOM = {
    errno.ENOSPC: "free some space and run it again",
    errno.EDQUOT: "free some of your quota and run it again",
    errno.EFBIG: "the file system takes no larger file: choose another",
}


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield an empty temporary file to write into, which replaces `path` at the end of the block.

    The folder is made if absent. After an exception the old file is untouched and the temporary file removed; after
    a crash or power failure `path` is the old file or the new one. The temporary file is hidden, has a name of its
    own (several may write to `path` at once; the last one stays) and the suffix of `path`, by which some writers
    choose the format. Permissions are those of any new file (umask, defaults of the folder).

    Raises
    ------
    OSError : the folder may not be written, or the disk is full; the message names the file and what to do
    """
    path = Path(path)
    temporary = _hidden_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        remedy = _NO_ROOM.get(error.errno or 0, "make the folder writable, or choose another")
        raise OSError(f"cannot write {path} ({error.strerror}); {remedy}") from error
    permissions = temporary.stat().st_mode & 0o777
    try:
        yield temporary
        temporary.chmod(permissions)  # safetensors puts a file of its own in this place, readable by its owner alone
        _flush(temporary)
        os.replace(temporary, path)
        with suppress(OSError):  # a folder cannot be opened on Windows
            _flush(path.parent)
    except OSError as error:
        number = error.errno if error.errno in _NO_ROOM else _number_in(str(error))
        if number not in _NO_ROOM:
            raise
        raise OSError(f"cannot write {path} ({os.strerror(number)}); {_NO_ROOM[number]}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch_file(path: Path) -> Iterator[Path]:
    """The name of a hidden file beside `path`, removed at the end of the block, or by the run after one that was killed
    in it."""
    temporary = _hidden_name(path)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _hidden_name(path: Path) -> Path:
    # 40 characters of the name: with the rest it stays below the 255 bytes that file systems allow
    return path.with_name(f".{path.stem[:40]}.{secrets.token_hex(6)}.partial{path.suffix}")


def remove_halves(path: Path) -> None:
    """Remove what killed runs left half written of a file."""
    for half in path.parent.glob(f".{escape(path.stem[:40])}.*.partial{path.suffix}"):
        half.unlink(missing_ok=True)


def open_no_link(path: str | os.PathLike, flags: int) -> int:
    """Descriptor of a file, opened or made, but not of what a link of its name leads to: that would be emptied."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


class LateError(io.FileIO):
    """A new file whose first failed write is kept in `error` and raised by `check` and at the end of a `with`.

    On a full disk HDF5 ends the process, at the latest when it closes the file: so it sees a file in which all writes
    succeeded. What is written beyond the disk's end after the error lies in memory until the file is closed.
    """

    error: OSError | None = None

    def __init__(self, path: Path):
        super().__init__(path, "w+b")
        self._end = 0  # bytes on the disk at the error
        self._beyond = bytearray()

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        n_bytes = len(left)
        try:
            while left and self.error is None:
                left = left[super().write(left) or 0 :]
        except OSError as error:
            self._fail(error)
        if left:
            self._keep(left)
        return n_bytes

    def _fail(self, error: OSError) -> None:
        self.error, self._end = error, os.fstat(self.fileno()).st_size

    def _keep(self, data: memoryview) -> None:
        """After the error: on the disk what it has, in memory the rest."""
        start = self.tell()
        on_disk = data[: max(self._end - start, 0)]
        with suppress(OSError):
            os.pwrite(self.fileno(), on_disk, start)
        rest, at = data[len(on_disk) :], max(start - self._end, 0)
        if rest:
            self._beyond.extend(bytes(max(at - len(self._beyond), 0)))
            self._beyond[at : at + len(rest)] = rest
        super().seek(start + len(data))

    def readinto(self, buffer: Any, /) -> int:
        if self.error is None:
            return super().readinto(buffer) or 0
        view, start = memoryview(buffer).cast("B"), self.tell()
        read = os.pread(self.fileno(), min(len(view), max(self._end - start, 0)), start)
        at = max(start - self._end, 0)
        read += bytes(self._beyond[at : at + len(view) - len(read)])
        view[: len(read)] = read
        super().seek(start + len(read))
        return len(read)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END and self.error is not None:
            offset, whence = offset + self._end + len(self._beyond), os.SEEK_SET
        return super().seek(offset, whence)

    def truncate(self, size: int | None = None, /) -> int:
        size = self.tell() if size is None else size
        if self.error is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self._fail(error)
        beyond = max(size - self._end, 0)
        del self._beyond[beyond:]
        self._beyond.extend(bytes(beyond - len(self._beyond)))
        return size

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self.check()

    def check(self) -> None:
        """Raise what a write has raised."""
        if self.error is not None:
            raise self.error


def _number_in(message: str) -> int:
    """The number of the system's error in a message of HDF5; 0 where there is none."""
    found = re.search(r"errno = (\d+)", message)
    return int(found[1]) if found else 0


def _flush(path: Path) -> None:
    """Have the system write a file (or the names in a folder) to the disk."""
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
