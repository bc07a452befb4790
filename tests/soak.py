"""SIGKILL at random moments, and the same command again: `make soak`, or python tests/soak.py [N].

Every run is compared with one that was left alone: the weights, predictions and metric histories
are to be the same bit for bit, in the run's folder and in MLflow.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from conftest import SMALL, client_of, finish, start

from sightline.predictions import Predictions
from sightline.tracking.outbox import journal_of, read_sent
from sightline.tracking.spool import read_spool
from sightline.training.checkpoints import BEST, LAST

COMMAND = ["train", *SMALL, "data.batch_size=100", "mix=mixup", "ema.decay=0.9",
           "trainer.max_epochs=4", "checkpoint.every_n_steps=3"]  # fmt: skip
PASSING = ("path", "second", "best_k")  # places and times, which may differ


def differing(one: Any, other: Any, where: str) -> Iterator[str]:
    """Where two checkpoints are not the same bit for bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            if not any(word in str(key) for word in PASSING):
                yield from differing(one.get(key), other.get(key), f"{where}/{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            yield f"{where}: {len(one)} against {len(other)}"
        for index, pair in enumerate(zip(one, other, strict=False)):
            yield from differing(*pair, f"{where}/{index}")
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if not torch.equal(one, other):
            yield where
    elif type(one) is not type(other) or (one != other and (one == one or other == other)):
        yield f"{where}: {one!r} against {other!r}"


def checkpoint_differences(one: Path, other: Path) -> Iterator[str]:
    for name in (BEST, LAST):
        states = [
            torch.load(folder / "checkpoints" / name, weights_only=True) for folder in (one, other)
        ]
        yield from differing(*states, name)


def histories(folder: Path) -> dict[tuple[str, int], list[float]]:
    """Every point that a run told, of what is not a time."""
    points: dict[tuple[str, int], list[float]] = {}
    for record, _ in read_spool(journal_of(folder)):
        for key, value in record.get("metrics", {}).items():
            if not any(word in key for word in PASSING):
                points.setdefault((key, record["step"]), []).append(value)
    return points


def stored(root: Path, folder: Path) -> dict[tuple[str, int], list[float]]:
    """The same as MLflow has them."""
    client, run_id = client_of(root), read_sent(folder)["run_id"]
    points: dict[tuple[str, int], list[float]] = {}
    for key in {key for key, _ in histories(folder)}:
        for point in client.get_metric_history(run_id, key):
            points.setdefault((key, point.step), []).append(point.value)
    return points


def run_differences(root: Path, one: Path, other: Path) -> list[str]:
    """What tells two finished runs apart; nothing, if all is well."""
    found = list(checkpoint_differences(one, other))
    for split in ("val", "test"):
        tables = [Predictions.read(each / f"predictions/{split}.parquet") for each in (one, other)]
        if not np.array_equal(tables[0].ids, tables[1].ids):
            found.append(f"ids of {split}")
        if not np.array_equal(tables[0].probs, tables[1].probs):
            found.append(f"predictions of {split}")
    points = histories(one)
    for name, others in (("told", histories(other)), ("in MLflow", stored(root, other))):
        for key in points.keys() | others.keys():
            if points.get(key) != others.get(key):
                found.append(f"{name}: {key} {points.get(key)} against {others.get(key)}")
    status = client_of(root).get_run(read_sent(other)["run_id"]).info.status
    return found if status == "FINISHED" else [*found, f"the run's status is {status}"]


def kill_all(pid: int, with_sender: bool) -> None:
    """SIGKILL a training and its workers, with or without the process that sends to MLflow."""
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if with_sender or "sightline.tracking.sender" not in " ".join(process.cmdline()):
                process.send_signal(signal.SIGKILL)


def soak(times: int, seed: int) -> int:
    """Kill that many runs up to three times each; how many came out different."""
    rng = random.Random(seed)
    failures = kills = 0
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        began = time.monotonic()
        whole = root / "whole"
        code, _, err = finish(start(root, *COMMAND, f"hydra.run.dir={whole}"))
        assert code == 0, err
        duration = time.monotonic() - began
        for number in range(times):
            folder = root / f"run-{number}"
            for _ in range(rng.randint(1, 3)):
                process = start(root, *COMMAND, f"hydra.run.dir={folder}")
                time.sleep(rng.uniform(0, duration))
                if process.poll() is None:
                    kill_all(process.pid, rng.random() < 0.5)
                    kills += 1
                finish(process)
            code, _, err = finish(start(root, *COMMAND, f"hydra.run.dir={folder}"))
            found = run_differences(root, whole, folder) if code == 0 else [err]
            failures += bool(found)
            print(f"run {number}: {'; '.join(found[:5]) or 'identical'}", flush=True)
    print(f"{times} runs, {kills} kills, {failures} of them different (seed {seed})")
    return failures


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    sys.exit(1 if soak(count, int(time.time())) else 0)
