"""Atomic file writes: beside the target, fsync, rename; whole appends."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def fsync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_parent(path: Path) -> None:
    """Wait until the name of a new file is on the disk."""
    fsync_file(path.parent)


def when_writable(error: OSError) -> str:
    """The condition under which a write that failed may be tried again."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "when the disk has room" if full else "when it can be written"


def append_whole(descriptor: int, content: bytes | memoryview) -> None:
    """Append to an open file, which one process writes, or leave it as it was.

    Raises:
        OSError: it cannot be written.
    """
    size, rest = os.fstat(descriptor).st_size, memoryview(content)
    try:
        while len(rest):  # where a part was written, the next call says why not all of it
            written = os.write(descriptor, rest)
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[written:]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """The path of a partial file beside `path`, which replaces `path` when the block succeeds.

    Other processes see the old content or the new content, never a part, also after a crash. When
    the block raises, `path` is unchanged and the partial file is removed.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        fsync_file(partial)
        partial.replace(path)
        fsync_parent(path)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file (UTF-8) atomically."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")
