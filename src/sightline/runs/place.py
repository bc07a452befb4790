"""The place of a run's folder on disk, which tells a moved folder from a copied one.

A folder that was moved is the run still. A copy is another run's beginning: with the ids of the
original it would log into the original's run in MLflow.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from sightline.errors import DamagedError, UserError
from sightline.io.atomic import write_atomically
from sightline.io.stored_text import read_stored_json

FILE = "place.json"


def record_place(folder: Path, tracking: Path) -> None:
    """Record where a run's folder is; nothing is written where that is known.

    Args:
        folder: the run's own.
        tracking: the folder of its journal.
    """
    place = _place_of(folder)
    if _recorded(tracking) != place:
        tracking.mkdir(parents=True, exist_ok=True)
        write_atomically(tracking / FILE, json.dumps(place))


def original_of(folder: Path, tracking: Path, began_in: Callable[[], str | None]) -> Path | None:
    """The folder that this one may be a copy of; None where it was not copied, or was moved.

    A folder is the same one where device and inode are, or the path is (it was restored). A folder
    whose recorded path is gone was moved.

    Args:
        folder: of the run.
        tracking: the folder of its journal.
        began_in: gives where the run began, for a folder that recorded no place.
    """
    recorded, here = _recorded(tracking), _place_of(folder)
    path = Path(str(recorded.get("path") or began_in() or here["path"]))
    same = all(recorded.get(key) == here[key] for key in ("device", "inode"))
    if same or str(path) == here["path"] or not path.is_dir() or path.samefile(folder):
        return None
    return path


def copied(folder: Path, original: Path, run_id: str | None) -> UserError:
    """The error for a copy of a run whose original is still there.

    Args:
        folder: the copy.
        original: where the run is.
        run_id: of the run in MLflow.
    """
    return UserError(
        f"{folder} is a copy of {original}, which is still there: what is logged here would go "
        f"into the original's run{f' ({run_id})' if run_id else ''} in MLflow. Work in the "
        f"original, or remove it if this one is to take its place; or remove {folder / 'tracking'} "
        "to make this copy a run of its own, which begins in MLflow where it is resumed."
    )


def _place_of(folder: Path) -> dict[str, str | int]:
    about = folder.stat()
    return {"path": os.path.realpath(folder), "device": about.st_dev, "inode": about.st_ino}


def _recorded(tracking: Path) -> dict[str, str | int]:
    try:
        found = read_stored_json(tracking / FILE)
    except (OSError, DamagedError):  # of an earlier version, or damaged by a crash
        return {}
    return found if isinstance(found, dict) else {}
