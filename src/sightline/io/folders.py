"""New folders: made with those above them, and taken back where they are empty."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

TRIES = 5
PRIVATE = 0o700  # the owner's alone


def make_folder(path: Path, mode: int | None = None) -> list[Path]:
    """Make a folder, and those above it.

    Args:
        path: the folder.
        mode: of the folder itself; one that was there gets it where nothing is in it. None: the
            usual one.

    Returns:
        the folders that were not there before, the outermost first.

    Raises:
        OSError: it cannot be made, or a file is in its place.
    """
    made: list[Path] = []
    for _ in range(TRIES):  # another process may take its own empty folder back meanwhile
        with suppress(FileNotFoundError):
            for each in [*reversed(path.parents), path]:
                with suppress(FileExistsError):
                    if not each.is_dir():
                        each.mkdir(mode if mode is not None and each == path else 0o777)
                        made.append(each)
            break
    path.mkdir(exist_ok=True)  # raises what is in its place
    if mode is not None and not any(path.iterdir()):  # made by Hydra a moment ago, maybe
        with suppress(PermissionError):  # another owner's
            path.chmod(mode)
    return list(dict.fromkeys(made))


def remove_empty(made: Sequence[Path]) -> None:
    """Remove the folders that `make_folder` made, where nothing is in them."""
    for each in reversed(made):
        with suppress(OSError):  # something is in it, or it is gone
            each.rmdir()
