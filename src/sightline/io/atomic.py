"""Files that are written whole or not at all, and are on the disk when they are said to be."""

import os
from pathlib import Path


def fsync_file(path: Path) -> None:
    """Wait until a file that was written is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_parent(path: Path) -> None:
    """Wait until a new file's name is on the disk."""
    fsync_file(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that others see it whole or not at all, also after a crash."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        fsync_parent(path)
    finally:
        partial.unlink(missing_ok=True)
