"""Text and JSON of a stored file, whatever a stranger put in its place."""

import errno
import json
import os
from pathlib import Path
from typing import Any

from sightline.errors import DamagedError
from sightline.io.regular import PROBLEM, open_regular

MOST_BYTES = 256 * 2**20  # far above any file that Sightline writes


def read_stored_text(path: Path) -> str:
    """The text of a regular file; a pipe or a device is not waited for.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: it is something else, too large, or not UTF-8.
    """
    try:
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MOST_BYTES:
                raise DamagedError(path, f"it has {size:,} bytes, more than it can have")
            return stream.read().decode()
    except UnicodeDecodeError as error:
        raise DamagedError(path, f"{error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise DamagedError(path, PROBLEM) from error


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
