"""Text and JSON of a stored file, whatever a stranger put in its place."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from sightline.errors import DamagedError

MOST_BYTES = 256 * 2**20  # far above any file that Sightline writes


def read_stored_text(path: Path) -> str:
    """The text of a regular file; a pipe or a device is not waited for.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: it is something else, too large, or not UTF-8.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise DamagedError(path, "it is no regular file")
        if about.st_size > MOST_BYTES:
            raise DamagedError(path, f"it has {about.st_size:,} bytes, more than it can have")
        content = stream.read(MOST_BYTES + 1)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DamagedError(path, f"{error}") from error


def read_stored_json(path: Path) -> Any:
    """The JSON of a regular file.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: it is something else, too large, or no JSON.
    """
    text = read_stored_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(path, f"{error}" if text else "it is empty") from error
