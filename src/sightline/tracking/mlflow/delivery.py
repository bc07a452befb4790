"""From a run's records to calls of MLflow; every record can be brought again without harm."""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.multimedia import compress_image_size
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_LOGGED_IMAGES
from PIL import Image

from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.runs.journal.records import (
    ArtifactRecord,
    DatasetsRecord,
    EntriesRecord,
    ImageRecord,
    MetricsRecord,
    ModelRecord,
    ParamsRecord,
    Record,
    RunRecord,
    StatusRecord,
    TagsRecord,
    ViewRecord,
)
from sightline.tracking.mlflow.batches import halves
from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, UploadError, is_refusal, short_message
from sightline.tracking.mlflow.model import CheckpointModel, log_model
from sightline.tracking.mlflow.store import Store
from sightline.tracking.mlflow.views import save_view

RUN_KEY = "run_key"  # the tag by which a run is found whose creation was not confirmed
UPLOAD_TIMEOUT_S = 600  # for a server that stores a large file before it answers


class Delivery:
    """One run in a store.

    Args:
        store: open.
        folder: the run's own folder.
        run_id: None until the run is created there.
        register: the name under which the run's model is registered, or None.

    Attributes:
        experiment_id: of the experiment that holds the run.
    """

    def __init__(
        self, store: Store, folder: RunFolder, run_id: str | None, register: str | None
    ) -> None:
        self.client: MlflowClient = store.client
        self.store = store
        self.folder = folder
        self.run_id = run_id
        self.register = register
        self.experiment_id = store.experiment_id
        if run_id is not None:
            self._check_run(run_id)

    def upload(self, records: list[Record]) -> list[tuple[Record, str]]:
        """Bring records that `merge` put together.

        Returns:
            What MLflow refuses for good, and why.

        Raises:
            MlflowException, OSError, ...: the store did not take them; nothing is lost by
                bringing them again.
            UserError: the run was deleted.
        """
        try:
            self._upload(records)
        except (*UPLOAD_ERRORS, UploadError) as error:
            if self.run_id is None or not is_refusal(error):
                raise
            self._check_run(self.run_id)  # it or the store may be the trouble, not the record
            parts = halves(records)
            if not parts:
                return [(records[0], short_message(error))]
            return [refused for part in parts for refused in self.upload(part)]
        return []

    def _check_run(self, run_id: str) -> None:
        try:
            info = self.client.get_run(run_id).info
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise UserError(
                f"MLflow no longer has the run {run_id}. What it told stays in {self.folder}; "
                "`sightline sync --again FOLDER` brings all of it, as a new run."
            ) from error
        if info.lifecycle_stage != "active":
            raise UserError(
                f"the run {run_id} was deleted in MLflow. What it told stays in {self.folder}; "
                f"`mlflow runs restore --run-id {run_id}` takes it back."
            )
        self.experiment_id = info.experiment_id

    def _upload(self, records: list[Record]) -> None:
        record = records[0]
        if self.run_id is None:
            first = record if isinstance(record, RunRecord) else self._run_without_record()
            self.run_id = self._create(first)
        match record:
            case EntriesRecord():
                self._batch(self.run_id, records)
            case DatasetsRecord():
                self.client.log_inputs(self.run_id, [_dataset(each) for each in record.datasets])
            case ArtifactRecord() | ImageRecord() | ModelRecord():
                self._file(self.run_id, record)
            case ViewRecord():
                save_view(self.client, self.store.experiment_id, record.key, record.view)
            case StatusRecord(status="RUNNING"):
                self.client.update_run(self.run_id, status="RUNNING")
            case StatusRecord():
                self.client.set_terminated(self.run_id, record.status, record.time_ms)

    def _run_without_record(self) -> RunRecord:
        """For a journal whose first record was damaged: the folder gives the run's name."""
        path = self.folder.path
        key = uuid.uuid5(uuid.NAMESPACE_URL, str(path)).hex
        return RunRecord(
            name=path.name,
            tags={RUN_KEY: key, "run_folder": str(path)},
            time_ms=int(path.stat().st_mtime * 1000),
        )

    def _create(self, record: RunRecord) -> str:
        key = record.tags[RUN_KEY]
        there = self.client.search_runs(
            [self.store.experiment_id], f"tags.{RUN_KEY} = '{key}'", max_results=1
        )
        if there:
            return str(there[0].info.run_id)
        run = self.client.create_run(
            self.store.experiment_id, record.time_ms, record.tags, record.name
        )
        return str(run.info.run_id)

    def _batch(self, run_id: str, records: list[Record]) -> None:
        metrics, params, tags = [], [], []
        for record in records:
            match record:
                case MetricsRecord():
                    moment, step = record.time_ms, record.step
                    metrics += [Metric(k, v, moment, step) for k, v in record.metrics.items()]
                case ParamsRecord():
                    params += [Param(key, value) for key, value in record.params.items()]
                case TagsRecord():
                    tags += [RunTag(key, value) for key, value in record.tags.items()]
        self.client.log_batch(run_id, metrics, params, tags)

    def _file(self, run_id: str, record: ArtifactRecord | ImageRecord | ModelRecord) -> None:
        name = record.checkpoint if isinstance(record, ModelRecord) else record.path
        path = self.folder.path / name
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise UploadError(f"{path} cannot be read: {error.strerror}") from error
        try:
            with _patient():
                match record:
                    case ArtifactRecord():
                        parent = str(Path(name).parent)
                        target = None if parent == "." else parent
                        self.client.log_artifact(run_id, str(path), target)
                    case ImageRecord():
                        self._image(run_id, record, path)
                    case ModelRecord():
                        model = CheckpointModel.from_record(record, path)
                        log_model(self.client, self.store.uri, run_id, model, self.register)
        except (*UPLOAD_ERRORS, UploadError):
            raise
        except Exception as error:  # whatever a library fails of, the next file is uploaded
            raise UploadError(f"{path}: {type(error).__name__}: {error}") from error

    def _image(self, run_id: str, record: ImageRecord, path: Path) -> None:
        """As `MlflowClient.log_image` does, but under a name that is the same each time."""
        key, step, moment = record.key, record.step, record.time_ms
        unique = uuid.uuid5(uuid.NAMESPACE_URL, f"{key} {step} {moment}")
        name = f"{key.replace('/', '~')}+step+{step}+timestamp+{moment}+{unique}"
        with tempfile.TemporaryDirectory() as folder:
            try:
                image = Image.open(path).convert("RGB")
            except OSError as error:
                raise UploadError(f"{path} is no image: {error}") from error
            image.save(f"{folder}/{name}.png")
            compress_image_size(image).save(f"{folder}/{name}+compressed.webp")
            self.client.log_artifacts(run_id, folder, "images")
        self.client.set_tag(run_id, MLFLOW_LOGGED_IMAGES, True)


def _dataset(fields: dict[str, str]) -> DatasetInput:
    about = {key: value for key, value in fields.items() if key != "context"}
    return DatasetInput(Dataset(**about), [InputTag(MLFLOW_DATASET_CONTEXT, fields["context"])])


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """Inside, a request may take as long as storing a large file takes."""
    key = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    before = os.environ.get(key)
    os.environ[key] = str(UPLOAD_TIMEOUT_S)
    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before
