"""Checks that a run's folder is intact: no file is lost or damaged, and all are of one run."""

import logging
from collections.abc import Callable
from pathlib import Path

from sightline.errors import DamagedError, UserError
from sightline.io.digests import CHANGED, damage_by_digest
from sightline.runs.folder import RESULTS, RunFolder
from sightline.runs.frozen import PUT_BACK
from sightline.tracking.mlflow.tags import RUN_KEY

log = logging.getLogger(__name__)


def check_run_file(folder: RunFolder) -> None:
    """Refuse to start a run where one that lost its `run.json` left its files.

    Raises:
        DamagedError: names both files.
    """
    left = folder.trace()
    if left is not None and not folder.is_launched:
        raise DamagedError(
            folder.path / "run.json", f"it is missing, and {left} is of a run that began here",
            PUT_BACK,
        )  # fmt: skip


def check_journal(folder: RunFolder) -> None:
    """Refuse a journal that is lost, or of another run.

    Without the whole folder of it, as a copy of a run is when it is to be a run of its own, the run
    begins anew in MLflow.

    Raises:
        DamagedError: names it.
        UserError: another version wrote it.
    """
    journal, state = folder.upload.journal, folder.state
    left = folder.trace()
    if left is not None and not folder.upload.folder.is_dir():
        log.warning("%s is missing: the run begins anew in MLflow.", folder.upload.folder)
        return
    if left is not None and state.status is None:
        problem = "it holds no status" if journal.is_file() else "it is missing"
        raise DamagedError(journal, f"{problem}, and {left} is of a run that began here", PUT_BACK)
    try:
        key = folder.frozen.run_key if folder.frozen else ""
    except UserError:  # which says nothing of the journal
        return
    if key and state.tags.get(RUN_KEY, key) != key:
        raise DamagedError(
            journal, f"it is of another run ({state.name}) than {folder.path / 'run.json'}",
            "One of the two was replaced: put back a copy of it.",
        )  # fmt: skip


def lost_end(folder: RunFolder) -> str:
    """That the journal ends before the run did; empty where it does not."""
    if folder.state.status == "FINISHED" or not (folder.path / RESULTS).is_file():
        return ""
    journal = folder.upload.journal.relative_to(folder.path)  # a table has no room for more
    return f"{journal} lost its end: the run has {RESULTS}; resuming it completes the file"


def intact_file(folder: RunFolder, path: str, fetch: Callable[[str], Path]) -> Path:
    """A file of a run as it was logged: the folder's, or where that is damaged another copy.

    Args:
        folder: the run's.
        path: of the file in it.
        fetch: gives another copy of it.

    Raises:
        DamagedError: no copy is as it was logged.
        UserError: the run has no such file.
    """
    own, digest = folder.path / path, folder.state.digests.get(path)
    problem = damage_by_digest(own, digest)
    if problem is None and own.is_file():
        return own
    try:
        found = fetch(path)
        if damage_by_digest(found, digest) is not None:
            raise DamagedError(found, CHANGED)
    except UserError as error:
        if problem is None:
            raise
        raise DamagedError(own, problem, _remedy(folder, Path(path))) from error
    if problem is not None:
        log.warning("%s is damaged: %s. MLflow's copy of it is used.", own, problem)
    return found


def _remedy(folder: RunFolder, path: Path) -> str:
    """The advice for a damaged file of which MLflow has no sound copy."""
    if path.parent.name == "predictions" and path.stem in ("train", "val", "test"):
        return f"`sightline evaluate run={folder} split={path.stem}` writes it anew."
    return "MLflow has no copy of it as it was: put one back."
