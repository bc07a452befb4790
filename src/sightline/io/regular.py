"""Regular files, of folders that others made: a pipe or a device there is not waited for."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

PROBLEM = "it is no regular file"


def open_regular(path: Path) -> BinaryIO:
    """A file opened for reading.

    Raises:
        OSError: it is a pipe, a device or a folder, or cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        OSError: as `open_regular` does.
    """
    with open_regular(path) as stream:
        return stream.read()


def check_regular(path: Path) -> None:
    """Refuse what is no regular file, where a library opens it.

    Raises:
        OSError: it is a pipe, a device or a folder, or is not there.
    """
    _check(path.stat(), path)


def _check(about: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, PROBLEM, str(path))
