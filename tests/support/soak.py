"""SIGKILL at random moments, and the same command again: `make soak`.

Every run is compared with one that was left alone: the weights, predictions and metric histories
are to be the same bit for bit, in the run's folder and in MLflow.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from support.commands import SMALL, finish, start
from support.differences import run_differences

COMMAND = ["train", *SMALL, "data.batch_size=100", "mix=mixup", "ema.decay=0.9",
           "trainer.max_epochs=4", "checkpoint.every_n_steps=3"]  # fmt: skip


def kill_all(pid: int, with_sender: bool) -> None:
    """SIGKILL a training and its workers, with or without the process that sends to MLflow."""
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if with_sender or "sightline.tracking.sender.process" not in " ".join(
                process.cmdline()
            ):
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
