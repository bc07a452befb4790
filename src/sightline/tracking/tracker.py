"""The log of one run: what a training logs, written to the journal in its folder."""

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.io.atomic import fsync_file
from sightline.reports.canvas import to_png
from sightline.runs.journal.file import JournalWriter, read_journal
from sightline.runs.journal.outbox import journal_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PARAM = 6000  # characters; MLflow's limit
MAX_TAG = 8000
MAX_KEY = 250


class Tracker:
    """Writes what a run tells into its folder; a sender of its own brings it to MLflow.

    A run that goes on after an interruption tells some things again: parameters that were told,
    and metrics of a key and step that were, are left out, so that nothing is doubled.

    Args:
        folder: the run's own folder; artifacts keep the same relative paths in MLflow.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = JournalWriter(journal_path(folder))
        self.begun = False  # in this process
        self._logged: set[str] = set()  # kinds of records, by earlier processes
        self._logged_params: set[str] = set()
        self._logged_models: set[int] = set()  # epochs
        self.tags_before: dict[str, str] = {}  # by earlier processes
        self._last_steps: dict[str, int] = {}  # the last point that an earlier process told
        for record, _ in read_journal(self.journal.path):
            self._remember(record)

    @property
    def resumed(self) -> bool:
        """Whether the run was started before."""
        return "run" in self._logged

    def start(self, name: str, tags: Mapping[str, str]) -> None:
        """Start the run, or say that it goes on; RUNNING from now on."""
        self.begun = True
        if not self.resumed:
            self._append({"op": "run", "name": name, "tags": _tags(tags)})
        if self.tags_before.get("error"):  # is true no longer
            self.set_tags({"error": ""})
        self._append({"op": "status", "status": "RUNNING"}, sync=True)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; a value that is too long is cut with a mark, never silently."""
        new = {
            _key(key): _cut(str(value), MAX_PARAM).replace("\0", "\\0")
            for key, value in params.items()
            if _key(key) not in self._logged_params
        }
        if new:
            self._append({"op": "params", "params": new})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self._append({"op": "tags", "tags": _tags(tags)})

    def log_metrics(self, metrics: Mapping[str, float], step: int, again: bool = False) -> None:
        """Log finite values at one step; `again`: also where this step was told before."""
        new = {
            _key(key): float(value)
            for key, value in metrics.items()
            if math.isfinite(value) and (again or step > self._last_steps.get(_key(key), -1))
        }
        if new:
            self._append({"op": "metrics", "metrics": new, "step": step})

    def log_datasets(self, datasets: list[dict[str, str]]) -> None:
        """Attach the data sets that the run reads, as `dataset_inputs` describes them."""
        if "datasets" not in self._logged:
            self._append({"op": "datasets", "datasets": datasets})

    def log_artifact(self, path: str) -> None:
        """Send a file of the run's folder to the same relative path in MLflow."""
        fsync_file(self.folder / path)
        self._append({"op": "artifact", "path": path})

    def log_text(self, text: str, path: str) -> None:
        """Write a text file and send it."""
        file = self._file(path)
        file.write_text(text, encoding="utf-8")
        self.log_artifact(path)

    def log_json(self, value: Any, path: str) -> None:
        """Write plain containers as JSON and send them."""
        self.log_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", path)

    def log_figure(self, figure: "Figure", path: str) -> None:
        """Draw a figure to a PNG and send it."""
        self.log_png(to_png(figure), path)

    def log_png(self, content: bytes, path: str) -> None:
        """Write a PNG and send it."""
        self._file(path).write_bytes(content)
        self.log_artifact(path)

    def log_image(self, figure: "Figure", key: str, step: int) -> None:
        """Add a figure to a series of images that the UI steps through."""
        if step <= self._last_steps.get(key, -1):
            return
        path = f"images/{key.replace('/', '~')}-{step}.png"
        self._file(path).write_bytes(to_png(figure, dpi=90))
        self._append({"op": "image", "path": path, "key": key, "step": step})

    def log_model_checkpoint(
        self, checkpoint: str, class_names: Sequence[str], multi_label: bool,
        plugins: list[str], epoch: int,
    ) -> None:  # fmt: skip
        """Log a checkpoint of the run's folder as the model `model`, linked to the run.

        Args:
            checkpoint: the file; what it is to hold must be in it.
            class_names: in the order of its outputs.
            multi_label: whether it decides on any number of labels.
            plugins: packages that it may be built with.
            epoch: of the checkpoint; each is logged once.
        """
        if epoch in self._logged_models:
            return
        about = {"multi_label": multi_label, "plugins": plugins, "epoch": epoch}
        names = list(class_names)
        self._append({"op": "model", "checkpoint": checkpoint, "class_names": names} | about)

    def save_view(self, key: str, view: Mapping[str, Any]) -> None:
        """Save a view of the runs with the experiment."""
        self._append({"op": "view", "key": key, "view": view})

    def finish(self, status: str) -> None:
        """End the run: FINISHED, FAILED or KILLED."""
        self._append({"op": "status", "status": status}, sync=True)

    def flush(self) -> None:
        """Wait until all that was told is on the disk."""
        self.journal.sync()

    def _file(self, path: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def _append(self, record: dict[str, Any], sync: bool = False) -> None:
        self.journal.append(record | {"time_ms": int(time.time() * 1000)}, sync)

    def _remember(self, record: Mapping[str, Any]) -> None:
        self._logged.add(record["op"])
        self.tags_before |= record.get("tags", {})
        if record["op"] == "model":
            self._logged_models.add(record["epoch"])
        if record["op"] == "params":
            self._logged_params |= record["params"].keys()
        keys = {"metrics": record.get("metrics", ()), "image": [record.get("key")]}
        for key in keys.get(record["op"], ()):
            self._last_steps[key] = max(record["step"], self._last_steps.get(key, -1))


@cache
def _key(key: str) -> str:
    """A key that MLflow takes: no longer than it allows, and of its characters."""
    return re.sub(r"[^\w/.\-: ]", "_", key)[:MAX_KEY]


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {key[:MAX_KEY]: _cut(value, MAX_TAG).replace("\0", "\\0") for key, value in tags.items()}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 4] + " […]"
