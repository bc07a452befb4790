"""Warnings of records that are not in MLflow, at the end of a command."""

import logging
import shlex

from sightline.errors import counted
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalFormatError

log = logging.getLogger(__name__)


def warn_of_pending(folder: RunFolder) -> None:
    """Warn of records that are not in MLflow."""
    try:
        pending, refused = folder.upload.count_pending(), folder.upload.count_refused()
    except JournalFormatError as error:
        log.warning("%s", error)
        return
    if pending:
        log.warning(
            "pending:          %s to upload: `%s`",
            counted(pending, "record"),
            shlex.join(["sightline", "sync", str(folder)]),
        )
    if refused:
        log.warning("refused:          %s; the reasons are in %s",
                    counted(refused, "record"), folder.upload.refused)  # fmt: skip
