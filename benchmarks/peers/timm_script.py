"""timm's training script: `train.py` of a checkout, with the timm that is installed."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.network import pick_device
from benchmarks.bench_peers.task import (
    BATCH,
    CLASSES,
    FLIP,
    LR,
    MEAN,
    SIDE,
    STD,
    WEIGHT_DECAY,
    Task,
)
from benchmarks.bench_peers.timm_network import NAME, register_network

ROWS = {"timm": "timm's `train.py`"}
PACKAGES = ("timm",)
NEEDS = ("timm_train",)


def train(task: Task, clock: Clock) -> float:
    """Run the script; the val accuracy after the last epoch."""
    assert task.timm_train is not None
    register_network()
    script = load_script(Path(task.timm_train))
    accuracies: list[float] = []
    clock.watch_optimizers()
    functions = vars(script)
    functions["train_one_epoch"] = timed(functions["train_one_epoch"], clock)
    functions["validate"] = noted(functions["validate"], accuracies)
    sys.argv = ["train.py", *arguments(task)]
    functions["main"]()
    return accuracies[-1]


def arguments(task: Task) -> list[str]:
    """The task in the script's words: the rate is constant, as its first step is at epoch 90."""
    words = {
        "data-dir": task.images, "val-split": "val", "model": NAME, "num-classes": CLASSES,
        "epochs": task.epochs, "batch-size": BATCH, "opt": "adamw", "lr": LR, "crop-pct": 1,
        "sched": "step", "weight-decay": WEIGHT_DECAY, "warmup-epochs": 0, "smoothing": 0,
        "color-jitter": 0, "hflip": FLIP, "workers": task.workers, "device": pick_device().type,
    }  # fmt: skip
    lists: dict[str, tuple[float, ...]] = {
        "input-size": (3, SIDE, SIDE), "mean": MEAN, "std": STD, "scale": (1, 1), "ratio": (1, 1)
    }  # fmt: skip
    return [
        *(word for name, value in words.items() for word in (f"--{name}", str(value))),
        *(word for name, values in lists.items() for word in (f"--{name}", *map(str, values))),
    ]


def load_script(path: Path) -> ModuleType:
    """train.py as a module, so that its functions can be timed."""
    spec = importlib.util.spec_from_file_location("timm_train", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def timed(train_one_epoch: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    """The script's own function, as an epoch of the clock."""

    def train_timed(epoch: int, model: Any, loader: Any, *rest: Any, **named: Any) -> Any:
        clock.start_epoch()
        result = train_one_epoch(epoch, model, loader, *rest, **named)
        clock.end_epoch(len(loader) * BATCH)  # the script leaves the last, smaller batch out
        return result

    return train_timed


def noted(validate: Callable[..., Any], accuracies: list[float]) -> Callable[..., Any]:
    """The script's own function, with its accuracy kept."""

    def validate_noted(*given: Any, **named: Any) -> Any:
        metrics = validate(*given, **named)
        accuracies.append(metrics["top1"] / 100)
        return metrics

    return validate_noted
