"""One MLflow run: everything a training tells it goes through here."""

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Metric, Param, RunTag
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from PIL import Image

MAX_PARAM = 6000  # characters; MLflow's limit
MAX_TAG = 8000
BATCH = 100  # parameters or tags in one request

logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)


class Tracker:
    """Writes files into the run's own folder first, then sends them to MLflow.

    Args:
        client: of the store.
        uri: the store's.
        run_id: a run that exists.
        folder: the run's own folder; artifacts keep the same relative paths in it.
    """

    def __init__(self, client: MlflowClient, uri: str, run_id: str, folder: Path) -> None:
        self.client = client
        self.uri = uri
        self.run_id = run_id
        self.folder = folder
        self._monitor: SystemMetricsMonitor | None = None

    def params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; a value that is too long is cut with a mark, never silently."""
        entities = [Param(key, _cut(str(value), MAX_PARAM)) for key, value in params.items()]
        for start in range(0, len(entities), BATCH):
            self.client.log_batch(self.run_id, params=entities[start : start + BATCH])

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        entities = [RunTag(key, _cut(value, MAX_TAG)) for key, value in tags.items()]
        self.client.log_batch(self.run_id, tags=entities)

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log finite values at one step, in one request."""
        now_ms = int(time.time() * 1000)
        entities = [
            Metric(key, float(value), now_ms, step)
            for key, value in metrics.items()
            if math.isfinite(value)
        ]
        self.client.log_batch(self.run_id, metrics=entities)

    def datasets(self, inputs: list[DatasetInput]) -> None:
        """Attach the data sets that the run reads."""
        self.client.log_inputs(self.run_id, inputs)

    def artifact(self, path: str) -> None:
        """Send a file of the run's folder to the same relative path in MLflow."""
        parent = str(Path(path).parent)
        self.client.log_artifact(
            self.run_id, str(self.folder / path), None if parent == "." else parent
        )

    def text(self, text: str, path: str) -> None:
        """Write a text file and send it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        self.artifact(path)

    def json(self, value: Any, path: str) -> None:
        """Write plain containers as JSON and send them."""
        self.text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", path)

    def figure(self, figure: Figure, path: str) -> None:
        """Draw a figure to a PNG and send it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=110)
        self.artifact(path)

    def image(self, figure: Figure, key: str, step: int) -> None:
        """Add a figure to a series of images that the UI steps through."""
        figure.set_dpi(90)
        canvas: Any = figure.canvas
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        self.client.log_image(self.run_id, image, key=key, step=step, synchronous=True)

    def watch_system(self, interval_s: float) -> None:
        """Record CPU, memory, GPU, disk and network until the run is finished."""
        self._monitor = SystemMetricsMonitor(
            self.run_id, sampling_interval=interval_s, tracking_uri=self.uri
        )
        self._monitor.start()

    def finish(self, status: str) -> None:
        """End the run: FINISHED, FAILED or KILLED."""
        if self._monitor is not None:
            self._monitor.finish()
            # One last sample, so that a run shorter than the interval has one too.
            self._monitor.collect_metrics()
            self._monitor.publish_metrics(self._monitor.aggregate_metrics())
            self._monitor.mlflow_logger.flush()
        self.client.set_terminated(self.run_id, status)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 4] + " […]"
