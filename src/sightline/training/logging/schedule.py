"""The log of the planned learning rates: a figure, before the first step."""

from pytorch_lightning import Callback, LightningModule, Trainer

from sightline.reports.canvas import to_png
from sightline.reports.figures.learning_rates import draw_learning_rates
from sightline.tracking.tracker import Tracker
from sightline.training.lightning_compat import last_step_of, steps_per_epoch_of
from sightline.training.module import LitClassifier


class ScheduleFigure(Callback):
    """Draws the learning rate of each group over the steps of the training.

    Args:
        tracker: of the run.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw and log it; once more where a training is resumed, whose length may be another."""
        assert isinstance(pl_module, LitClassifier)
        groups = pl_module.make_optimizer(pl_module).param_groups
        rates = {float(group.get("lr_factor", 1.0)): float(group["lr"]) for group in groups}
        total = last_step_of(trainer)
        per_epoch = steps_per_epoch_of(trainer, total)
        steps, found = pl_module.make_scheduler.rates(list(rates.values()), total, per_epoch)
        shown = f"{total:,} steps, {per_epoch:,} an epoch"
        if steps[-1] < total - 1:
            shown = f"the first {len(steps):,} of {shown}"
        figure = draw_learning_rates(steps, found, list(rates), shown)
        self.tracker.log_png(to_png(figure, dpi=90), "schedule/lr.png")
