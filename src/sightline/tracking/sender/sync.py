"""Upload of the journals of runs whose records are not all in MLflow."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout

from sightline.config.schema import TrackingConfig
from sightline.errors import UserError, counted
from sightline.io.printable import printable
from sightline.io.secrets import split_credentials
from sightline.io.stored_address import stored_address
from sightline.runs.folder import RunFolder
from sightline.runs.intact import check_journal
from sightline.tracking.mlflow.environment import set_request_environment

if TYPE_CHECKING:
    from sightline.tracking.mlflow.store import Store

TRACKING = {
    "run_name": None, "offline": False, "start_timeout_s": 10, "flush_timeout_s": 60,
    "system_metrics_interval_s": None, "register_as": None,
}  # fmt: skip


def sync_folder(root: Path, uri: str | None = None, again: bool = False) -> int:
    """Upload the pending records of every run under a folder; 1 where one could not be uploaded.

    Args:
        root: the folder of a run, or one above runs.
        uri: the store; None for the one that each run names.
        again: whether records that were uploaded or refused are uploaded once more.
    """
    found: list[RunFolder] = []
    failures = 0
    for path in sorted({root / "tracking", *root.rglob("tracking")}):
        folder = RunFolder(path.parent)
        try:
            check_journal(folder)
            if _count_pending(folder, uri) or (again and folder.upload.journal.is_file()):
                found.append(folder)
            elif folder.upload.count_refused():
                print(printable(_refused(folder)), file=sys.stderr)
        except UserError as error:
            print(printable(f"Error: {error}"), file=sys.stderr)
            failures += 1
    if not found and not failures:
        print(f"Nothing is pending under {root}.")
        return 0
    set_request_environment()
    stores = Stores()
    failures += sum(not _sync_one(folder, uri, again, stores) for folder in found)
    return 1 if failures else 0


class Stores:
    """Open stores by address: one that does not answer is waited for only once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str | None, str], Store | UserError] = {}

    def open(self, config: TrackingConfig) -> "Store":
        """The store that a run's config names."""
        from sightline.tracking.mlflow.store import open_store

        key = (config.uri, config.experiment)
        if key not in self._found:
            try:
                self._found[key] = open_store(config)
            except UserError as error:
                self._found[key] = error
        found = self._found[key]
        if isinstance(found, UserError):
            raise found
        return found


def _destination(folder: RunFolder, given: str | None) -> TrackingConfig:
    """The store of a run, with the credentials of the environment, which are not stored."""
    stored = folder.upload.destination()
    if stored:
        config = TrackingConfig.model_validate(TRACKING | stored)
    else:  # the run was killed before it recorded its store
        frozen = folder.frozen
        if frozen is None:
            raise UserError(
                "its store is not known: run.json is missing, and no tracking/store.json names "
                "it; give tracking.uri=URI."
            )
        config = frozen.config.tracking
    known = folder.upload.position().get("run_id")
    uri = given or stored_address(config.uri, folder, run_id=known)
    if uri is not None:
        uri, credentials = split_credentials(uri)
        set_request_environment(credentials)
    return config.model_copy(update={"uri": uri})


def _count_pending(folder: RunFolder, given: str | None) -> int:
    """How many records are not in the store that is given, or else in the run's own."""
    uri = split_credentials(given)[0] if given else folder.upload.destination().get("uri")
    if uri is None:  # the run was killed before it recorded its store
        return folder.upload.count_pending()
    return folder.upload.count_pending(folder.upload.position_in(uri))


def _sync_one(folder: RunFolder, uri: str | None, again: bool, stores: Stores) -> bool:
    from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, short_message
    from sightline.tracking.sender.run_upload import RunUpload

    before = _count_pending(folder, uri)
    run_upload: RunUpload | None = None
    try:
        folder.check_original()
        config = _destination(folder, uri)
        with folder.upload.lock(timeout_s=1):
            run_upload = RunUpload(folder, config, stores.open)
            if again:
                run_upload.restart()
            before = run_upload.count_pending()
            refused = folder.upload.count_refused() if run_upload.position else 0
            left = run_upload.upload_all()
            if not left:
                folder.upload.write_destination(config)  # where later records belong too
    except Timeout:
        print(printable(f"{folder}: another process is uploading it."))
        return True
    except UPLOAD_ERRORS as error:
        left = run_upload.count_pending() if run_upload is not None else before
        return _failed(folder, left, before, short_message(error))
    run_id = run_upload.position.get("run_id")
    if left:
        why = "they belong to a run whose own records are not in the journal"
        return _failed(folder, left, before, why)
    newly = folder.upload.count_refused() - refused
    if newly:
        reasons = f"{folder.upload.refused} gives the reasons"
        message = f"Error: {folder}: MLflow refuses {newly} records of run {run_id}; {reasons}."
        print(printable(message), file=sys.stderr)
        return False
    sent = "all" if again else f"{before}"
    print(printable(f"{folder}: {sent} records are in MLflow, run {run_id}."))
    if refused:
        print(printable(_refused(folder)), file=sys.stderr)
    return True


def _refused(folder: RunFolder) -> str:
    """A line about records that MLflow refused before; the same request would be refused again."""
    count = counted(folder.upload.count_refused(), "record is", "records are")
    return (
        f"{folder}: {count} not in MLflow, which refused them before; {folder.upload.refused} "
        "gives the reasons. Once it takes them: "
        f"{shlex.join(['sightline', 'sync', str(folder), '--again'])}"
    )


def _failed(folder: RunFolder, left: int, before: int, why: str) -> bool:
    message = f"Error: {folder}: {left} of {before} records are still pending: {why}"
    print(printable(message), file=sys.stderr)
    return False
