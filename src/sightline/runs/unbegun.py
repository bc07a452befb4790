"""The folder of a run or a sweep that has not begun: nothing of others is touched, all is undone.

A run counts as begun with `run.json`, a sweep with `sweep.json`. Before that a folder may hold only
what an attempt left that was killed, beside its lock: a person's own files are never mixed with a
run's, and what a refused command removes is only what it made itself.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sightline.errors import UserError
from sightline.runs.lock import is_of_lock
from sightline.runs.lock_owner import LOCK

RUN, SWEEP = "run.json", "sweep.json"  # each is the last file that a launch writes
# Files and folders that are written before.
EARLY = ("train.log", "sweep.log", "optuna.db", "optuna.db-journal", "conf", "slurm", "slurm.json")
SHOWN = 3  # names in a message


def check_unbegun(folder: Path, begun: str, key: str) -> None:
    """Refuse a folder with files of others, before anything is written.

    Args:
        folder: of a run or a sweep; it need not exist.
        begun: RUN or SWEEP; a folder that holds it is one to resume in.
        key: of the config that names the folder.

    Raises:
        UserError: it is a file, a link to nothing, or holds what no run of this kind wrote.
    """
    if not folder.is_dir():
        if os.path.lexists(folder):
            what = "a file" if folder.exists() else "a link to nothing"
            raise UserError(f"{key}={folder} is {what}; give a folder.")
        return
    names = [path.name for path in folder.iterdir() if not is_of_lock(path.name)]
    if (folder / begun).is_file():
        return
    # Of an attempt that was killed: its lock is there as long as anything else of it is.
    killed = (folder / LOCK).is_file()
    others = [
        name for name in sorted(names)
        if not (killed and _is_early(folder / name)) and os.path.lexists(folder / name)
    ]  # fmt: skip
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        kind = "run" if begun == RUN else "sweep"
        raise UserError(
            f"{key}={folder}: this folder holds other files ({', '.join(others[:SHOWN])}{more}), "
            f"and no {kind} to resume (no {begun}). Give a new folder, or an empty one; nothing "
            "was changed in this one."
        )


@contextmanager
def undone_unless_begun(folder: Path, begun: str) -> Iterator[None]:
    """Remove what is written inside, where the run or the sweep then does not begin.

    Args:
        folder: locked by this process, and checked by `check_unbegun`.
        begun: RUN or SWEEP.
    """
    before = {path.name for path in folder.iterdir()}
    try:
        yield
    except BaseException:
        if not (folder / begun).is_file():
            for name in EARLY:
                if name not in before:
                    _remove(folder / name)
        raise


def _is_early(path: Path) -> bool:
    """Whether it is one of the first files of a launch; a sweep freezes its jobs early."""
    partial = path.name.startswith(".") and path.name.endswith(".partial")
    return path.name in EARLY or partial or next(path.rglob(RUN), None) is not None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # the message is about what refused the command
            path.unlink(missing_ok=True)
