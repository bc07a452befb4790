"""Run that an evaluation is logged to: the evaluated run, or a new one."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from sightline.config.schema import TrackingConfig
from sightline.io.secrets import hide_password, with_credentials
from sightline.paths import project_root
from sightline.runs.folder import RunFolder
from sightline.tracking.description import origin_tags
from sightline.tracking.mlflow import tags
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker

log = logging.getLogger(__name__)


@contextmanager
def original_run(
    run: StoredRun, tracking: TrackingConfig
) -> Iterator[tuple[Tracker, SenderClient]]:
    """The evaluated run, in its own folder, or in evaluations/RUN_ID where that folder is gone."""
    folder = run.folder
    if folder is None or not folder.upload.journal.is_file():
        folder = RunFolder(project_root() / "evaluations" / str(run.run_id))
        if folder.upload.location is None:
            folder.upload.write_position({
                "run_id": run.run_id, "experiment_id": run.experiment_id,
                "uri": hide_password(str(run.uri)),
            })  # fmt: skip
    uri = with_credentials(run.uri) if run.uri else tracking.uri
    with _connected(folder, tracking.model_copy(update={"uri": uri})) as connection:
        yield Tracker(folder), connection


def new_run_for(
    of: str, name: str, folder: RunFolder, command: str, tracking: TrackingConfig
) -> AbstractContextManager[tuple[Tracker, SenderClient]]:
    """A run of kind `evaluation`, tagged with what it evaluates.

    Args:
        of: id of the evaluated run, or path of the checkpoint.
        name: of the new run.
        folder: of the new run.
        command: as it was typed.
        tracking: config of the tracking store.
    """
    purpose = {tags.KIND: tags.KIND_EVALUATION, tags.EVALUATES: of}
    return new_run(purpose, name, folder, command, tracking)


@contextmanager
def new_run(
    purpose: Mapping[str, str], name: str, folder: RunFolder, command: str, tracking: TrackingConfig
) -> Iterator[tuple[Tracker, SenderClient]]:
    """A run that is no training; it ends as FINISHED, or as FAILED where the body raises.

    Args:
        purpose: tags that say what it is.
        name: of the new run.
        folder: of the new run.
        command: as it was typed.
        tracking: config of the tracking store.
    """
    with _connected(folder, tracking) as connection:
        tracker = Tracker(folder)
        tracker.start(name, origin_tags(folder, command) | dict(purpose))
        try:
            yield tracker, connection
        except BaseException:
            tracker.finish("FAILED")
            raise
        tracker.finish("FINISHED")


@contextmanager
def _connected(folder: RunFolder, tracking: TrackingConfig) -> Iterator[SenderClient]:
    quiet = tracking.model_copy(update={"system_metrics_interval_s": None})
    with folder.lock():
        connection = SenderClient(quiet, folder, continue_offline=True)
        try:
            connection.wait_until_ready()
            yield connection
        finally:
            connection.close()
