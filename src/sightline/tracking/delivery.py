"""From a run's records to calls of MLflow; every record can be brought again without harm."""

import contextlib
import logging
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.multimedia import compress_image_size
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_LOGGED_IMAGES
from PIL import Image

from sightline.tracking.model import ModelRecord, log_model
from sightline.tracking.spool import Record
from sightline.tracking.store import Store

log = logging.getLogger(__name__)

RUN_KEY = "run_key"  # the tag by which a run is found whose creation was not confirmed
REFUSED = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")  # the same again would be refused again
UPLOAD_TIMEOUT_S = 600  # for a server that stores a large file before it answers
MERGED = {"metrics": 1000, "params": 100, "tags": 100}  # how many MLflow takes in one request


class Delivery:
    """One run in a store.

    Args:
        store: open.
        folder: the run's own folder.
        run_id: None until the run is created there.
        register: the name under which the run's model is registered, or None.
    """

    def __init__(
        self, store: Store, folder: Path, run_id: str | None, register: str | None
    ) -> None:
        self.client: MlflowClient = store.client
        self.store = store
        self.folder = folder
        self.run_id = run_id
        self.register = register

    def bring(self, records: list[Record]) -> None:
        """Bring records that `merge` put together.

        Raises:
            MlflowException, OSError, ...: the store did not take them; nothing is lost by
                bringing them again.
        """
        try:
            self._bring(records)
        except MlflowException as error:
            if error.error_code not in REFUSED:
                raise
            if len(records) > 1:
                for record in records:
                    self.bring([record])
            else:
                log.warning("MLflow refuses %s: %s", records[0], error)

    def _bring(self, records: list[Record]) -> None:
        record = records[0]
        operation = record["op"]
        if operation == "run":
            self.run_id = self._create(record)
            return
        assert self.run_id is not None, "a spool begins with its run"
        if operation in MERGED:
            self._batch(self.run_id, records)
        elif operation == "datasets":
            self.client.log_inputs(self.run_id, [_dataset(fields) for fields in record["datasets"]])
        elif operation == "artifact":
            self._artifact(self.run_id, record["path"], record["path"])
        elif operation == "image":
            self._image(self.run_id, record)
        elif operation == "model":
            with _patient():
                log_model(
                    self.client, self.store.uri, self.run_id, self._model(record), self.register
                )
        elif record["status"] == "RUNNING":
            self.client.update_run(self.run_id, status="RUNNING")
        else:
            self.client.set_terminated(self.run_id, record["status"], record["time_ms"])

    def _model(self, record: Record) -> ModelRecord:
        return ModelRecord(
            self.folder / record["checkpoint"], record["class_names"], record["several_labels"],
            record["plugins"], record["time_ms"],
        )  # fmt: skip

    def _create(self, record: Record) -> str:
        key = record["tags"][RUN_KEY]
        there = self.client.search_runs(
            [self.store.experiment_id], f"tags.{RUN_KEY} = '{key}'", max_results=1
        )
        if there:
            return str(there[0].info.run_id)
        run = self.client.create_run(
            self.store.experiment_id, record["time_ms"], record["tags"], record["name"]
        )
        return str(run.info.run_id)

    def _batch(self, run_id: str, records: list[Record]) -> None:
        metrics, params, tags = [], [], []
        for record in records:
            if record["op"] == "metrics":
                moment, step = record["time_ms"], record["step"]
                metrics += [Metric(k, v, moment, step) for k, v in record["metrics"].items()]
            elif record["op"] == "params":
                params += [Param(key, value) for key, value in record["params"].items()]
            else:
                tags += [RunTag(key, value) for key, value in record["tags"].items()]
        while metrics or params or tags:
            self.client.log_batch(
                run_id,
                metrics[: MERGED["metrics"]], params[: MERGED["params"]], tags[: MERGED["tags"]],
            )  # fmt: skip
            del metrics[: MERGED["metrics"]], params[: MERGED["params"]], tags[: MERGED["tags"]]

    def _artifact(self, run_id: str, local: str, path: str) -> None:
        file = self.folder / local
        if not file.is_file():
            log.warning("%s is no longer there and is not sent.", file)
            return
        parent = str(Path(path).parent)
        with _patient():
            self.client.log_artifact(run_id, str(file), None if parent == "." else parent)

    def _image(self, run_id: str, record: Record) -> None:
        """As `MlflowClient.log_image` does, but under a name that is the same each time."""
        key, step, moment = record["key"], record["step"], record["time_ms"]
        unique = uuid.uuid5(uuid.NAMESPACE_URL, f"{key} {step} {moment}")
        name = f"{key.replace('/', '~')}+step+{step}+timestamp+{moment}+{unique}"
        with tempfile.TemporaryDirectory() as folder, _patient():
            with Image.open(self.folder / record["path"]) as image:
                image.save(f"{folder}/{name}.png")
                compress_image_size(image).save(f"{folder}/{name}+compressed.webp")
            self.client.log_artifacts(run_id, folder, "images")
        self.client.set_tag(run_id, MLFLOW_LOGGED_IMAGES, True)


def merge(records: Iterator[tuple[Record, int]]) -> Iterator[tuple[list[Record], int]]:
    """Neighbours that MLflow takes in one request, with the offset after the last of them."""
    group: list[Record] = []
    sizes = dict.fromkeys(MERGED, 0)
    end = 0
    for record, offset in records:
        operation = record["op"]
        added = len(record[operation]) if operation in MERGED else 0
        fits = operation in MERGED and (
            sizes[operation] + added <= MERGED[operation] or sizes[operation] == 0
        )
        if group and not (fits and group[-1]["op"] in MERGED):
            yield group, end
            group, sizes = [], dict.fromkeys(MERGED, 0)
        group.append(record)
        if operation in MERGED:
            sizes[operation] += added
        end = offset
    if group:
        yield group, end


def _dataset(fields: dict[str, str]) -> DatasetInput:
    about = {key: value for key, value in fields.items() if key != "context"}
    return DatasetInput(Dataset(**about), [InputTag(MLFLOW_DATASET_CONTEXT, fields["context"])])


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """Inside, a request may take as long as storing a large file takes."""
    key = "MLFLOW_HTTP_REQUEST_TIMEOUT"
    before: Any = os.environ.get(key)
    os.environ[key] = str(UPLOAD_TIMEOUT_S)
    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before
