"""Sweeps of jobs that cost a tenth of a second: real processes, folders and signals, no training.

`python cheap_job.py sweep ARGUMENTS` is `sightline ARGUMENTS` with such jobs; a job is then
`python cheap_job.py FOLDER`. What a job does is chosen by its seed in $CHEAP, as JSON.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from sightline import cli
from sightline.cluster.ranks import rank
from sightline.config.schema import Job, TrainConfig
from sightline.errors import Interrupted, UserError
from sightline.runs.folder import RunFolder
from sightline.sweeps import process
from sightline.tracking.tracker import Tracker
from sightline.training import job as run_job

COMMAND = [sys.executable, __file__]
AWAY = ["report=none", "tracking.offline=true", "tracking.system_metrics_interval_s=null"]


def cheap(config: TrainConfig, job: Job, loaded: bool, importing: object) -> None:
    """A job in the place of a training: it begins, tells epochs, and ends as it was told to."""
    assert rank() == 0
    folder = job.output_dir
    what = json.loads(os.environ.get("CHEAP", "{}")).get(str(config.seed), "finish")
    run = RunFolder(folder)
    with run.lock():
        with (folder / "starts.txt").open("a") as starts:
            starts.write(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')} "
                         f"{os.environ.get('CUDA_VISIBLE_DEVICES')}\n")  # fmt: skip
        tracker = Tracker(run)
        tracker.start(f"s{config.seed}", {"run_key": folder.name})
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, _interrupt)
        try:
            value = _work(what, config, folder, tracker)
        except BaseException as error:
            tracker.finish("KILLED" if isinstance(error, Interrupted) else "FAILED")
            raise
        reached = {"loss": value, "accuracy": 1 / (1 + value)}
        tracker.log_json(
            {"metrics": {"val": reached}, "epochs": 3, "parameters": 10}, "results.json"
        )
        tracker.finish("FINISHED")


def _work(what: str, config: TrainConfig, folder: Path, tracker: Tracker) -> float:
    rate = float(config.optimizer["lr"])
    value = (rate - 0.01) ** 2 + config.seed / 1000
    for epoch in range(3):
        time.sleep(60 * (what == "slow" and epoch > 0))
        tracker.log_metrics({"val/loss": value + 1 / (1 + epoch)}, step=epoch)
    print(f"working on seed {config.seed}", flush=True)
    if what.startswith("sleep"):
        time.sleep(float(what.removeprefix("sleep")))
    while what == "wait" and not (folder / "go").exists():
        time.sleep(0.05)
    if what == "third" and folder.name == "2":
        time.sleep(60)
    if what == "raise":
        raise RuntimeError("the images are upside down")
    if what == "refuse":
        raise UserError("model.dropout: expected less than 1, but got 2.0.")
    if what == "exit":
        sys.exit(3)
    if what == "vanish":
        os._exit(0)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "memory":
        raise MemoryError
    if what == "nan":
        return float("nan")
    if what == "once" and len((folder / "starts.txt").read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise Interrupted(signum)


def summary(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open() as stream:
        return list(csv.DictReader(stream))


def starts(folder: Path) -> list[list[str]]:
    """For each job's folder, the processes that worked there."""
    paths = sorted(folder.glob("*/starts.txt"), key=lambda path: int(path.parent.name))
    return [path.read_text().splitlines() for path in paths]


def start_sweep(folder: Path, *arguments: str, **seeds: str) -> subprocess.Popen[str]:
    what = {name.removeprefix("s"): does for name, does in seeds.items()}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CHEAP": json.dumps(what)}
    with (folder / "sweep.out").open("a") as log:
        return subprocess.Popen(
            [sys.executable, __file__, "sweep", "train", "-m", *arguments,
             f"hydra.sweep.dir={folder}/sweep", *AWAY],
            cwd=folder, env=environment, stdout=log, stderr=log, text=True, start_new_session=True,
        )  # fmt: skip


def wait_for(condition: Callable[[], object], timeout_s: float = 400) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1] == "sweep":
        process.JOB_COMMAND = COMMAND
        sys.argv = ["sightline", *sys.argv[2:]]
        sys.exit(cli.main())
    run_job.run_job = cheap
    sys.argv = ["sightline", "job", sys.argv[1]]
    sys.exit(cli.main())
