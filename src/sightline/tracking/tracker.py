"""The log of one run: what a training logs, written to the journal in its folder."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sightline.io.atomic import fsync_file
from sightline.io.digests import file_digest
from sightline.io.redaction import redact, redact_data, redacted
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.records import (
    ArtifactRecord,
    DatasetsRecord,
    ImageRecord,
    MetricsRecord,
    ModelRecord,
    ParamsRecord,
    RunRecord,
    StatusRecord,
    TagsRecord,
    ViewRecord,
)
from sightline.runs.journal.state import JournalReader
from sightline.tracking.mlflow.tags import ERROR

MAX_PARAM = 6000  # characters; MLflow's limit
MAX_TAG = 8000
MAX_KEY = 250


class Tracker:
    """Logs a run into its folder; the sender process uploads it to MLflow.

    A resumed run logs some things a second time: parameters, and metrics of a key and step that
    were logged before, are left out, so that nothing is doubled.

    Args:
        folder: the run's own; artifacts keep the same relative paths in MLflow.

    Attributes:
        started: whether this process started or resumed the run.
        before: the state that earlier processes left.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.started = False
        self.before = JournalReader(folder.upload.journal).state()
        keys = self.before.points.keys() | self.before.image_steps.keys()
        self._last_steps = {key: self.before.last_step(key) for key in keys}
        self._journal = JournalWriter(folder.upload.journal, folder.check_held)

    def start(self, name: str, tags: Mapping[str, str]) -> None:
        """Start the run, or resume it; RUNNING from now on."""
        self.started = True
        if self.before.name is None:
            self._journal.append(RunRecord(name=name, tags=_tags(tags)))
        if self.before.tags.get(ERROR):  # no longer true
            self.set_tags({ERROR: ""})
        self._journal.append(StatusRecord(status="RUNNING"), sync=True)
        self.folder.record_place()

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; a value that is too long is cut with a mark, never silently."""
        new = {
            _key(key): _cut(str(value), MAX_PARAM).replace("\0", "\\0")
            for key, value in params.items()
            if _key(key) not in self.before.params
        }
        if new:
            self._journal.append(ParamsRecord(params=new))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self._journal.append(TagsRecord(tags=_tags(tags)))

    def log_metrics(self, metrics: Mapping[str, float], step: int, overwrite: bool = False) -> None:
        """Log finite values at one step; `overwrite`: also where the step was logged before."""
        new = {
            _key(key): float(value)
            for key, value in metrics.items()
            if math.isfinite(value) and (overwrite or step > self._last_steps.get(_key(key), -1))
        }
        if new:
            self._journal.append(MetricsRecord(metrics=new, step=step))

    def log_datasets(self, datasets: list[dict[str, str]]) -> None:
        """Log the data sets that the run reads, as `dataset_inputs` describes them."""
        if not self.before.has_datasets:
            self._journal.append(DatasetsRecord(datasets=datasets))

    def log_artifact(self, path: str) -> None:
        """Log a file of the run's folder, under the same relative path in MLflow."""
        file = self.folder.path / path
        fsync_file(file)
        self._journal.append(ArtifactRecord(path=path, digest=file_digest(file)))

    def log_text(self, text: str, path: str) -> None:
        """Write a text file without secrets, and log it."""
        self._log_redacted(redact(text), path)

    def log_data(self, text: str, path: str) -> None:
        """The same for data (CSV, a page, a config), whose words stay; see `redact_data`."""
        self._log_redacted(redact_data(text), path)

    def log_json(self, value: Any, path: str) -> None:
        """Write plain containers as JSON without secrets, and log the file."""
        text = json.dumps(redacted(value), indent=2, ensure_ascii=False)
        self._log_redacted(text + "\n", path)

    def _log_redacted(self, text: str, path: str) -> None:
        self.file(path).write_text(text, encoding="utf-8")
        self.log_artifact(path)

    def log_png(self, content: bytes, path: str) -> None:
        """Write a PNG and log it."""
        self.file(path).write_bytes(content)
        self.log_artifact(path)

    def log_image(self, content: bytes, key: str, step: int) -> None:
        """Add a PNG to a series of images that MLflow's UI steps through."""
        if step <= self._last_steps.get(key, -1):
            return
        path = f"images/{key.replace('/', '~')}-{step}.png"
        file = self.file(path)
        file.write_bytes(content)
        digest = file_digest(file)
        self._journal.append(ImageRecord(path=path, key=key, step=step, digest=digest))

    def log_model_checkpoint(
        self, checkpoint: str, class_names: Sequence[str], multi_label: bool,
        plugins: list[str], epoch: int, columns: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Log a checkpoint of the run's folder as the model `model`, linked to the run.

        Uploading adds how it is served to the run's note, which is logged before.

        Args:
            checkpoint: the file, in its final form.
            class_names: in the order of the model's outputs.
            multi_label: whether an image can have any number of labels.
            plugins: packages that the model may be built with.
            epoch: of the checkpoint, from 0; each is logged once.
            columns: further ones of its answers: boolean, double or texts, by name.
        """
        if epoch not in self.before.model_epochs:
            self._journal.append(ModelRecord(
                checkpoint=checkpoint, class_names=list(class_names), multi_label=multi_label,
                plugins=plugins, epoch=epoch, columns=dict(columns or {}),
            ))  # fmt: skip

    def save_view(self, key: str, view: Mapping[str, Any]) -> None:
        """Save a view of the runs with the experiment."""
        self._journal.append(ViewRecord(key=key, view=dict(view)))

    def finish(self, status: str) -> None:
        """End the run: FINISHED, FAILED or KILLED."""
        self._journal.append(StatusRecord(status=status), sync=True)

    def flush(self) -> None:
        """Wait until everything that was logged is on the disk."""
        self._journal.sync()

    def file(self, path: str) -> Path:
        """A file of the run's folder, whose own folder is there to write it.

        Raises:
            LockLostError: another process took the run's folder over.
        """
        self.folder.check_held()
        file = self.folder.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return file


@cache
def _key(key: str) -> str:
    """A key that MLflow takes: no longer than it allows, and of its characters."""
    return re.sub(r"[^\w/.\-: ]", "_", key)[:MAX_KEY]


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {key[:MAX_KEY]: _cut(value, MAX_TAG).replace("\0", "\\0") for key, value in tags.items()}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 4] + " […]"
