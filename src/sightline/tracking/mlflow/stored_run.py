"""A run that was logged before, found by its id, its folder or one of its files."""

import atexit
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from sightline.errors import UserError
from sightline.io.stored_address import stored_address
from sightline.runs.folder import BEST, RunFolder
from sightline.runs.imported import check_has_model
from sightline.runs.intact import check_journal, intact_file, lost_end
from sightline.runs.known_names import unknown_run
from sightline.runs.resume import resume_command
from sightline.tracking.mlflow.client import open_client
from sightline.tracking.mlflow.errors import STORE_ERRORS, unanswered
from sightline.tracking.mlflow.run_names import run_of_name
from sightline.tracking.mlflow.tags import ERROR, RUN_FOLDER


@dataclass(frozen=True)
class StoredRun:
    """A run as MLflow has it, or as its folder does where MLflow does not.

    Attributes:
        run_id, uri: MLflow's id, and its store's address; None for a run that was not uploaded.
        experiment_id: MLflow's; None likewise.
        folder: the run's own; None where it is not on this machine.
        name, status, params, metrics, tags: as logged; of each metric the last value.
        artifacts: the location of its artifacts in MLflow; None for a run that was not uploaded.
    """

    run_id: str | None
    uri: str | None
    experiment_id: str | None
    folder: RunFolder | None
    name: str
    status: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    artifacts: str | None = None

    def file(self, path: str) -> Path:
        """An artifact on this machine: in the run's folder or the store's, else downloaded.

        A download is kept until this process ends. The store's replaces a damaged one.

        Raises:
            DamagedError: the file is not as it was logged, and neither is the store's.
            UserError: the run has no such artifact, or it was deleted.
        """
        if self.folder is None:
            return self._stored_file(path)
        return intact_file(self.folder, path, self._stored_file)

    def _stored_file(self, path: str) -> Path:
        if self.run_id is None:
            raise UserError(f"The run in {self.folder} has no {path}.")
        own = f"{self.name!r} ({self.run_id}, {self.status})"
        lacking = UserError(f"The run {own} has no artifact {path}: deleted, or never logged.")
        if self.artifacts is not None and is_local_uri(self.artifacts):
            stored_file = Path(local_file_uri_to_path(self.artifacts)) / path
            if not stored_file.is_file():
                raise lacking
            return stored_file
        here = tempfile.mkdtemp(prefix="sightline-")
        atexit.register(shutil.rmtree, here, ignore_errors=True)
        try:
            return Path(self._client.download_artifacts(self.run_id, path, here))
        except (MlflowException, OSError) as error:
            raise lacking from error

    def check_finished(self) -> None:
        """Refuse a run that did not end as FINISHED.

        Raises:
            UserError: with its status and the command that resumes it.
        """
        if self.status != "FINISHED":
            where = self.folder or self.tags.get(RUN_FOLDER, self.run_id)
            known = self.run_id or (self.folder and self.folder.upload.journal)
            raise UserError(
                f"The run {self.name!r} ({known}) is {self.status}: it never "
                f"finished. Resume it first ({resume_command(where)}), or give one of its "
                "checkpoint files."
            )

    @cached_property
    def _client(self) -> MlflowClient:
        assert self.uri is not None
        return open_client(self.uri)


def find_stored_run(wanted: str, uri: str | None = None) -> StoredRun:
    """Find a run by its folder, by an MLflow run id or `runs:/ID`, or by a name of `run_of_name`.

    Raises:
        UserError: there is none, or several; it was deleted, or the store does not answer.
    """
    folder = Path(wanted).expanduser()
    if folder.is_dir():
        return _in_folder(RunFolder(folder.absolute()), uri)
    run_id = wanted.removeprefix("runs:/").split("/")[0]
    if wanted.startswith("runs:/") or re.fullmatch(r"[0-9a-f]{32}", wanted):
        return _in_store(run_id, uri, None)
    client = open_client(uri)
    try:
        return stored(client, run_of_name(client, wanted))
    except STORE_ERRORS as error:
        raise unanswered(client.tracking_uri, error) from error


def find_checkpoint_file(wanted: str, uri: str | None = None) -> tuple[Path, StoredRun | None]:
    """The best checkpoint of a run, or the checkpoint file that is named, with its run if known.

    Raises:
        UserError: there is no such run or file.
    """
    file = Path(wanted).expanduser()
    if file.is_file():
        folder = RunFolder(file.absolute().parent.parent)
        if not folder.is_launched:
            return file, None
        owner = _in_folder(folder, uri)
        return owner.file(str(file.absolute().relative_to(folder.path))), owner
    if file.suffix == ".ckpt":
        raise UserError(f"There is no checkpoint {file}.")
    run = find_stored_run(wanted, uri)
    check_has_model(run.name, run.tags)
    inside = wanted.removeprefix("runs:/").partition("/")[2] if wanted.startswith("runs:/") else ""
    if not inside.endswith(".ckpt"):
        run.check_finished()
    return run.file(inside if inside.endswith(".ckpt") else BEST), run


def _in_store(run_id: str, uri: str | None, folder: RunFolder | None) -> StoredRun:
    client = open_client(uri)
    try:
        run = client.get_run(run_id)
    except STORE_ERRORS as error:
        unknown = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
        if isinstance(error, MlflowException) and error.error_code in unknown:
            raise unknown_run(f"runs:/{run_id}", client.tracking_uri, []) from error
        raise unanswered(client.tracking_uri, error) from error
    if run.info.lifecycle_stage != "active":
        raise UserError(f"run={run_id}: this run was deleted; `mlflow runs restore` restores it.")
    return stored(client, run, folder)


def stored(client: MlflowClient, run: Run, folder: RunFolder | None = None) -> StoredRun:
    """A run of MLflow's, with its own folder where this machine has it.

    Args:
        client: of the store.
        run: MLflow's.
        folder: the run's own, where it is known already.
    """
    info, data = run.info, run.data
    own = data.tags.get(RUN_FOLDER)
    if folder is None and own:
        named = RunFolder(Path(own))
        location = named.upload.location
        folder = named if location is not None and location.run_id == info.run_id else None
    return StoredRun(
        info.run_id, client.tracking_uri, info.experiment_id, folder,
        info.run_name or info.run_id, info.status,
        dict(data.params), dict(data.metrics), dict(data.tags), info.artifact_uri,
    )  # fmt: skip


def _in_folder(folder: RunFolder, uri: str | None) -> StoredRun:
    """From MLflow where the run was uploaded; pending records in the folder are not read."""
    check_journal(folder)
    if not folder.upload.journal.is_file():
        raise UserError(f"{folder} holds no run of Sightline.")
    location = folder.upload.location
    if location is not None:
        address = uri or stored_address(location.uri, folder, run_id=location.run_id)
        return _in_store(location.run_id, address, folder)
    return read_from_journal(folder)


def read_from_journal(folder: RunFolder) -> StoredRun:
    """A run as its folder has it, whether or not it was uploaded."""
    state, end = folder.state, lost_end(folder)
    return StoredRun(
        None, None, None, folder, state.name or folder.path.name, state.status or "RUNNING",
        state.params, state.metrics, state.tags | ({ERROR: end} if end else {}),
    )  # fmt: skip
