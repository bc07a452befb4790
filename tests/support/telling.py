"""A run that tells all that a training tells, in seconds: a process with a real sender.

`python telling.py SETTINGS` with JSON: `folder`, `uri`, and what `TellConfig` has.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run

from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.reports.canvas import to_png
from sightline.runs.folder import RunFolder
from sightline.runs.journal.file import read_journal
from sightline.runs.journal.records import (
    ArtifactRecord,
    DatasetsRecord,
    ImageRecord,
    MetricsRecord,
    ModelRecord,
)
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker

DATASET = {
    "context": "train", "name": "digits", "digest": "1234", "source_type": "local",
    "source": '{"uri": "here"}', "schema": "{}", "profile": "{}",
}  # fmt: skip


@dataclass
class Tell:
    """What is told: steps of ten metrics, with a pause in between, and files of all kinds.

    gate: wait for a line on the standard input at steps 50, 150, 250 ...
    """

    folder: str
    uri: str
    steps: int = 30
    pause_s: float = 0.0
    files: bool = True
    gate: bool = False
    tracking: dict[str, Any] = field(default_factory=dict)

    def start(self, **environment: str) -> subprocess.Popen[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        return subprocess.Popen(
            [sys.executable, __file__, json.dumps(asdict(self))],
            env=inherited | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    @property
    def config(self) -> TrackingConfig:
        usual = {
            "uri": self.uri, "experiment": "sightline", "run_name": None, "offline": False,
            "start_timeout_s": 60, "flush_timeout_s": 120, "system_metrics_interval_s": None,
            "register_as": None,
        }  # fmt: skip
        return TrackingConfig.model_validate(usual | self.tracking)


def tell(told: Tell) -> list[float]:
    """Tell it, with a sender; the seconds of each step."""
    folder = RunFolder(Path(told.folder))
    connection = SenderClient(told.config, folder, continue_offline=False)
    tracker = Tracker(folder)

    def after(step: int) -> None:
        if step < 0:
            print(f"begun {connection.wait_for_run()}", flush=True)
        elif step % 10 == 0:
            connection.poll()
            print(f"step {step}", flush=True)
        if told.gate and step % 100 == 50:
            sys.stdin.readline()

    try:
        connection.wait_until_ready()
        took = write(tracker, told, after)
    except Exception:
        connection.failed = True
        raise
    finally:
        connection.close()
    print(f"left {folder.upload.count_pending()} {folder.upload.count_refused()}", flush=True)
    print(f"p99 {statistics.quantiles(took, n=100)[-1]:.6f}", flush=True)
    return took


def write(
    tracker: Tracker, told: Tell, after: Callable[[int], None] = lambda _: None
) -> list[float]:
    """Write it into the run's folder; nothing is sent."""
    tracker.start("told", {"run_key": uuid.uuid4().hex, "run_folder": told.folder})
    after(-1)
    tracker.log_params({"lr": 0.1, "name": "größe", "nul": "a\0b"})
    tracker.set_tags({"mlflow.note.content": "| a |\n|---|"})
    tracker.log_datasets([DATASET])
    tracker.log_text("hello", "config/config.yaml")
    took = []
    for step in range(told.steps):
        begin = time.perf_counter()
        tracker.log_metrics({f"val/m{key}": step + key / 10 for key in range(10)}, step)
        time.sleep(told.pause_s)
        took.append(time.perf_counter() - begin)
        after(step)
    if told.files:
        tracker.log_image(to_png(Figure((1, 1))), "confusion_matrix/val", step=0)
        tracker.file("checkpoints/best.ckpt").write_bytes(os.urandom(100_000))
        tracker.log_artifact("checkpoints/best.ckpt")
        tracker.log_model_checkpoint("checkpoints/best.ckpt", ("a", "b"), False, [], epoch=0)
    tracker.finish("FINISHED")
    return took


def told_points(folder: Path) -> dict[str, list[tuple[int, float, int]]]:
    """Every metric point of a run's journal: key to (step, value, time)."""
    points: dict[str, list[tuple[int, float, int]]] = {}
    for record, _ in read_journal(RunFolder(folder).upload.journal):
        if isinstance(record, MetricsRecord):
            for key, value in record.metrics.items():
                point = (record.step, value, record.time_ms)
                points.setdefault(key, []).append(point)
    return points


def check_all_arrived(
    client: MlflowClient, folder: Path, status: str = "FINISHED", experiment: str = "sightline"
) -> Run:
    """The run is in the store once, each point of the journal exactly once, and each file."""
    upload = RunFolder(folder).upload
    assert upload.count_pending() == 0
    assert upload.count_refused() == 0
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    [run] = [r for r in client.search_runs([found.experiment_id])
             if r.data.tags.get("run_folder") == str(folder)]  # fmt: skip
    assert run.info.status == status
    points = told_points(folder)
    assert len(points) >= 10
    for key, told in points.items():
        there = [
            (m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, key)
        ]
        assert sorted(there) == sorted(told), key
    arrived = artifacts(client, run.info.run_id)
    records = [record for record, _ in read_journal(upload.journal)]
    assert {r.path for r in records if isinstance(r, ArtifactRecord)} <= arrived
    images = [r for r in records if isinstance(r, ImageRecord)]
    assert len([path for path in arrived if path.startswith("images/")]) == 2 * len(images)
    models = client.search_logged_models(
        [found.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    assert [str(model.status) for model in models] == ["READY"] * sum(
        isinstance(r, ModelRecord) for r in records
    )
    logged = [dataset for r in records if isinstance(r, DatasetsRecord) for dataset in r.datasets]
    contexts = {dataset["context"] for dataset in logged}
    inputs = run.inputs.dataset_inputs
    assert {tag.value for each in inputs for tag in each.tags} == contexts
    assert len(inputs) == len(contexts)
    return run


def artifacts(client: MlflowClient, run_id: str, path: str | None = None) -> set[str]:
    found: set[str] = set()
    for item in client.list_artifacts(run_id, path):
        found |= artifacts(client, run_id, item.path) if item.is_dir else {item.path}
    return found


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        tell(Tell(**json.loads(sys.argv[1])))
    except UserError as error:
        sys.exit(f"Error: {error}")
