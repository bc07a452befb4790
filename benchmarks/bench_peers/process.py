"""One training by one peer: prints one line of JSON.

Run by benchmarks/bench_peers: python -m benchmarks.bench_peers.process FILE TASK
"""

import importlib
import json
import sys
from collections.abc import Iterable
from typing import Any

import torch

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.task import Task

ALWAYS = ("torch", "torchvision")  # packages whose versions are said beside the peer's


def run_peer(file: str, task: Task) -> dict[str, Any]:
    """Train, and describe what happened.

    Args:
        file: name of a module of benchmarks/peers.
        task: what it trains.
    """
    peer = importlib.import_module(f"benchmarks.peers.{file}")
    clock = Clock(task.started)
    accuracy = peer.train(task, clock)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "row": task.row,
        "epochs": task.epochs,
        **clock.describe(),
        "val_accuracy": accuracy,
        "gpu": gpu,
        "versions": _versions([*ALWAYS, *peer.PACKAGES]),
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    return {name: importlib.import_module(name).__version__ for name in packages}


if __name__ == "__main__":
    print(json.dumps(run_peer(sys.argv[1], Task(**json.loads(sys.argv[2])))))
