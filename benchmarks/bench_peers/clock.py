"""When a training made its first step, and how long each epoch's steps took."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook


@dataclass
class Clock:
    """The times of one training, in seconds since 1970.

    Validation is outside of an epoch's time, what the loop does for each batch is inside.

    Attributes:
        started: when the process was started.
        first_step: the end of the optimizer's first step.
        epochs: begin, end and number of images of each epoch.
    """

    started: float
    first_step: float | None = None
    epochs: list[tuple[float, float, int]] = field(default_factory=list)
    begun: float | None = None

    def watch_optimizers(self) -> None:
        """Note the first step of any optimizer of PyTorch."""
        register_optimizer_step_post_hook(lambda *_: self.step())

    def step(self) -> None:
        """Note the first step, once."""
        if self.first_step is None:
            self.first_step = _now()

    def start_epoch(self) -> None:
        """Before the loader is asked for the first batch."""
        self.begun = _now()

    def end_epoch(self, images: int) -> None:
        """After the last step, before validation; only the first call of an epoch counts."""
        if self.begun is not None:
            self.epochs.append((self.begun, _now(), images))
            self.begun = None

    def describe(self) -> dict[str, Any]:
        """Images per second of epoch 2 on, the time to the first step, and the time of steps."""
        later = self.epochs[1:]
        seconds = sum(end - begin for begin, end, _ in later)
        return {
            "images_per_second": sum(n for *_, n in later) / seconds if later else None,
            "first_step_s": None if self.first_step is None else self.first_step - self.started,
            "training": [(begin, end) for begin, end, _ in self.epochs],
        }

    def write(self, file: Path) -> None:
        """Keep the times in a file, for a training that a command runs."""
        file.write_text(json.dumps(asdict(self)))

    def read(self, file: Path) -> None:
        """Take over the times that `write` kept."""
        vars(self).update(json.loads(file.read_text()))


def _now() -> float:
    """The time once the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.time()
