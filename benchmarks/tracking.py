"""What tracking costs a training: steps of 2 ms that each log ten metrics, beside such that do not.

The sender is a process of its own, as in a training. Blocks of steps with and without tracking
alternate, so that a drift of the machine's speed cancels; of each pair the ratio of the blocks'
times is taken; and of the training's own CPU time, which other work on the machine does not
change. Run: python benchmarks/tracking.py [pairs] [steps of a block] [tracking.uri]
"""

import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import NamedTuple

import torch

from sightline.config.schema import TrackingConfig
from sightline.runs.folder import RunFolder
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker

STEP_S = 0.002
METRICS = 10


class Times(NamedTuple):
    """Seconds on the clock, and of CPU."""

    wall: float
    cpu: float


def make_step() -> tuple[torch.Tensor, int]:
    """A matrix, and how often it must be multiplied by itself for 2 ms."""
    torch.set_num_threads(1)
    matrix = torch.rand(192, 192)
    begin, count = time.thread_time(), 0
    while time.thread_time() - begin < 1:
        matrix @ matrix
        count += 1
    return matrix, max(1, round(count * STEP_S))


def block(steps: int, work: tuple[torch.Tensor, int], tracker: Tracker | None, first: int) -> Times:
    """A block of steps."""
    matrix, repeats = work
    begin, busy = time.perf_counter(), time.thread_time()
    for step in range(first, first + steps):
        for _ in range(repeats):
            matrix @ matrix
        if tracker is not None:
            tracker.log_metrics(
                {f"train/metric_{i}": step + i / METRICS for i in range(METRICS)}, step
            )
    return Times(time.perf_counter() - begin, time.thread_time() - busy)


def main(pairs: int, steps: int, uri: str | None) -> None:
    """Print the median of a step with and without tracking, and of the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        config = TrackingConfig.model_validate({
            "uri": uri or f"sqlite:///{folder}/mlflow.db", "experiment": "benchmark",
            "run_name": None, "register": None, "offline": False, "start_timeout_s": 30,
            "flush_timeout_s": 300, "system_metrics_interval_s": 5,
        })  # fmt: skip
        run = RunFolder(Path(folder) / "run")
        connection = SenderClient(config, run, continue_offline=False)
        connection.wait_until_ready()
        tracker = Tracker(run)
        tracker.start("benchmark", {"run_key": uuid.uuid4().hex})
        connection.wait_for_run()
        work = make_step()
        block(steps, work, None, 0)
        with_it, without = [], []
        for pair in range(pairs):
            with_it.append(block(steps, work, tracker, pair * steps))
            without.append(block(steps, work, None, 0))
        tracker.finish("FINISHED")
        begin = time.perf_counter()
        connection.close()
        flush = time.perf_counter() - begin
    print(f"{pairs} pairs of {steps} steps, {METRICS} metrics a step, to {config.uri}; "
          f"sending the rest at the end took {flush:.1f} s")  # fmt: skip
    print("| median of a step | without tracking | with tracking | ratio (quartiles) |")
    print("|---|---:|---:|---:|")
    for kind in Times._fields:
        bare, tracked = ([getattr(t, kind) for t in times] for times in (without, with_it))
        ratios = [a / b for a, b in zip(tracked, bare, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        shown = [statistics.median(values) / steps * 1000 for values in (bare, tracked)]
        print(f"| {kind} | {shown[0]:.3f} ms | {shown[1]:.3f} ms | {statistics.median(ratios):.4f} "
              f"({low:.4f} to {high:.4f}) |")  # fmt: skip


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 40, int(given[1]) if given[1:] else 250,
         given[2] if given[2:] else None)  # fmt: skip
