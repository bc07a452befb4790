"""Upload of a run's records by calls of MLflow; each record can be uploaded again without harm."""

import uuid

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

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
from sightline.tracking.mlflow import tags
from sightline.tracking.mlflow.artifacts import upload_file
from sightline.tracking.mlflow.batches import halves
from sightline.tracking.mlflow.errors import UPLOAD_ERRORS, UploadError, is_refusal, short_message
from sightline.tracking.mlflow.store import Store
from sightline.tracking.mlflow.views import save_view


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
        """Upload records that `merge` put together.

        Returns:
            The records that MLflow refuses for good, each with the reason.

        Raises:
            MlflowException, OSError, ...: the store did not take them; the upload can be retried.
            UserError: the run was deleted.
        """
        try:
            self._upload(records)
        except (*UPLOAD_ERRORS, UploadError) as error:
            if self.run_id is None or not is_refusal(error):
                raise
            self._check_run(self.run_id)  # the run or the store may be at fault, not the record
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
                f"MLflow no longer has the run {run_id}. Its journal stays in {self.folder}; "
                "`sightline sync --again FOLDER` uploads all of it, as a new run."
            ) from error
        if info.lifecycle_stage != "active":
            raise UserError(
                f"the run {run_id} was deleted in MLflow. Its journal stays in {self.folder}; "
                f"`mlflow runs restore --run-id {run_id}` restores the run."
            )
        self.experiment_id = info.experiment_id

    def _upload(self, records: list[Record]) -> None:
        record = records[0]
        if self.run_id is None:
            first = record if isinstance(record, RunRecord) else self._run_without_record()
            self.run_id = self._create(first)
        match record:
            case EntriesRecord():
                self._upload_batch(self.run_id, records)
            case DatasetsRecord():
                self.client.log_inputs(self.run_id, [_dataset(each) for each in record.datasets])
            case ArtifactRecord() | ImageRecord() | ModelRecord():
                upload_file(self.store, self.folder, self.run_id, record, self.register)
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
            tags={tags.RUN_KEY: key, tags.RUN_FOLDER: str(path)},
            time_ms=int(path.stat().st_mtime * 1000),
        )

    def _create(self, record: RunRecord) -> str:
        """Create the run, unless an earlier try did so without an answer."""
        key = record.tags[tags.RUN_KEY]
        created = self.client.search_runs(
            [self.store.experiment_id], f"tags.{tags.RUN_KEY} = '{key}'", max_results=1
        )
        if created:
            return str(created[0].info.run_id)
        run = self.client.create_run(
            self.store.experiment_id, record.time_ms, record.tags, record.name
        )
        return str(run.info.run_id)

    def _upload_batch(self, run_id: str, records: list[Record]) -> None:
        metrics, params, run_tags = [], [], []
        for record in records:
            match record:
                case MetricsRecord():
                    moment, step = record.time_ms, record.step
                    metrics += [Metric(k, v, moment, step) for k, v in record.metrics.items()]
                case ParamsRecord():
                    params += [Param(key, value) for key, value in record.params.items()]
                case TagsRecord():
                    run_tags += [RunTag(key, value) for key, value in record.tags.items()]
        self.client.log_batch(run_id, metrics, params, run_tags)


def _dataset(fields: dict[str, str]) -> DatasetInput:
    attributes = {key: value for key, value in fields.items() if key != "context"}
    context = InputTag(MLFLOW_DATASET_CONTEXT, fields["context"])
    return DatasetInput(Dataset(**attributes), [context])
