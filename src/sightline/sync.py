"""`sightline sync [FOLDER]`: bring to MLflow what runs could not say while it was away."""

import os
import sys
from pathlib import Path

from filelock import Timeout

from sightline.config import TrackingConfig
from sightline.errors import UserError
from sightline.project import project_root
from sightline.run_folder import run_folders, thaw
from sightline.tracking.connection import REQUESTS
from sightline.tracking.outbox import count_pending, read_sent, sender_lock
from sightline.tracking.secrets import split_credentials, with_credentials

USAGE = "usage: sightline sync [FOLDER] [tracking.uri=URI]"


def send_pending(arguments: list[str]) -> int:
    """Send what is pending under a folder; 1 where something could not be sent.

    Args:
        arguments: a run's folder or one above it, by default the project's; another store.
    """
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return 0
    uri = next((a.partition("=")[2] for a in arguments if a.startswith("tracking.uri=")), None)
    folders = [a for a in arguments if not a.startswith("tracking.uri=")]
    if len(folders) > 1 or any(a.startswith("-") for a in folders):
        print(USAGE, file=sys.stderr)
        return 2
    root = Path(folders[0]).expanduser().absolute() if folders else project_root()
    if not root.is_dir():
        raise UserError(f"sightline sync {folders[0]}: there is no such folder.")
    os.environ.update(REQUESTS | os.environ)
    found = [folder for folder in run_folders(root) if count_pending(folder)]
    failed = 0
    for folder in found:
        frozen = thaw(folder)
        assert frozen is not None
        failed += not _sync_one(folder, _destination(frozen.config.tracking, uri))
    if not found:
        print(f"Nothing is pending under {root}.")
    return 1 if failed else 0


def _destination(tracking: TrackingConfig, given: str | None) -> TrackingConfig:
    uri = given or with_credentials(tracking.uri)
    if uri is not None:
        uri, credentials = split_credentials(uri)
        os.environ.update(credentials)
    return tracking.model_copy(update={"uri": uri})


def _sync_one(folder: Path, tracking: TrackingConfig) -> bool:
    from sightline.tracking.sender import TROUBLE, Sender, first_line

    before = count_pending(folder)
    try:
        with sender_lock(folder, timeout_s=1):
            Sender(folder, tracking).bring_all()
    except Timeout:
        print(f"{folder}: another process is sending it.")
        return True
    except TROUBLE as error:
        left = count_pending(folder)
        print(f"Error: {folder}: {left} of {before} records are still pending: "
              f"{first_line(error)}", file=sys.stderr)  # fmt: skip
        return False
    print(f"{folder}: {before} records are in MLflow, run {read_sent(folder)['run_id']}.")
    return True
