"""The learning-rate finder of a run: a figure, a table and a suggestion, from a copy of the model.

Lightning's range test (Smith 2017): the learning rate rises from step to step, and where the loss
falls most steeply is a rate to begin with.
"""

import contextlib
import copy
import io
import logging
from collections.abc import Callable
from typing import Any

from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.tuner import Tuner
from torch.optim import Optimizer

from sightline.errors import UserError
from sightline.io.csv_files import to_csv
from sightline.reports.canvas import to_png
from sightline.reports.figures.lr_finder import draw_lr_finder
from sightline.tracking.tracker import Tracker
from sightline.training.memory import out_of_memory_named
from sightline.training.setup import Setup
from sightline.training.trials import Trial, copied, trial_trainer

log = logging.getLogger(__name__)

STEPS = 100
LEAST, MOST = 1e-6, 1.0
KEY = "lr_finder.suggestion"


class RisingTrial(Trial):
    """A trial in which the groups keep the factors of their learning rates."""

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        """Step at the finder's rate times each group's factor."""
        groups = optimizer.param_groups
        rates = [group["lr"] for group in groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * group.get("lr_factor", 1.0)
        optimizer.step(closure=optimizer_closure)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate


def find_lr(tracker: Tracker, setup: Setup) -> None:
    """Log how the loss follows the learning rate, once a run; the training is left as it is.

    Args:
        tracker: of the run.
        setup: of the training.
    """
    if KEY in tracker.before.params:
        return
    with out_of_memory_named(setup.config):
        rates, losses, suggestion = try_rates(setup)
    figure = draw_lr_finder(rates, losses, suggestion, float(setup.config.optimizer["lr"]))
    tracker.log_png(to_png(figure, dpi=90), "lr_finder/lr_finder.png")
    rows = [{"lr": lr, "loss": loss} for lr, loss in zip(rates, losses, strict=True)]
    tracker.log_text(to_csv(rows, decimals=None), "lr_finder/lr_finder.csv")
    tracker.log_params({KEY: "none" if suggestion is None else f"{suggestion:.3g}"})
    used = setup.config.optimizer["lr"]
    if suggestion is None:
        log.info("lr:      the finder has no suggestion; trained is with optimizer.lr=%s", used)
    else:
        log.info(
            "lr:      the finder suggests optimizer.lr=%.3g; trained is with %s", suggestion, used
        )


def try_rates(setup: Setup) -> tuple[list[float], list[float], float | None]:
    """Learning rates, the smoothed loss at each, and the suggestion; None where there is none.

    Raises:
        UserError: the optimizer has no learning rate of its own.
    """
    config = setup.config
    if not isinstance(config.optimizer.get("lr"), int | float):
        raise UserError("lr_finder=true: the optimizer has no optimizer.lr to be found.")
    # A loader of its own, so that the training's order and progress are as if it had not been.
    datamodule = copy.copy(setup.datamodule)
    module = copied(setup.make_module, config, setup.module.classifier)
    with (
        trial_trainer(config, setup.speed.precision, max_epochs=-1) as trainer,
        contextlib.redirect_stderr(io.StringIO()),  # Lightning's progress bar
    ):
        found = Tuner(trainer).lr_find(
            RisingTrial(module), datamodule=datamodule, min_lr=LEAST, max_lr=MOST,
            num_training=STEPS, update_attr=False,
        )  # fmt: skip
        assert found is not None
        return found.results["lr"], found.results["loss"], found.suggestion()
