"""The report of a training that has just ended: of test where it was evaluated, else of val."""

from collections.abc import Mapping

import torch

from sightline.config import TrainConfig
from sightline.evaluation.evaluation import Evaluation
from sightline.evaluation.metrics import metric_names
from sightline.predictions import Predictions
from sightline.reports.evaluated import Evaluated
from sightline.reports.metrics import metric_tables
from sightline.tracking.start import facts
from sightline.tracking.tracker import Tracker
from sightline.training.devices import uses_gpu
from sightline.training.looking import Looking
from sightline.training.report import Subject, publish_report, told_epochs, told_name
from sightline.training.setup import Setup


def report_training(
    tracker: Tracker, config: TrainConfig, setup: Setup, tables: Mapping[str, Predictions],
    found: Mapping[str, Evaluation], best_epoch: int,
) -> None:  # fmt: skip
    """Make report.html as `config.report` asks for it.

    Args:
        tracker: of the run.
        config: of the training.
        setup: whose model holds the best checkpoint's weights.
        tables: of each evaluated split.
        found: by their evaluation.
        best_epoch: of that checkpoint, from 0.
    """
    if not config.report:
        return
    split = "test" if "test" in tables else "val"
    mode = setup.label_mode
    device = torch.device("cuda" if uses_gpu(config.trainer) else "cpu")
    shown = [split, *(name for name in found if name != split)]
    subject = Subject(
        title=told_name(tracker),
        subtitle=f"The best checkpoint (epoch {best_epoch + 1}, by {config.monitor}) on {split}",
        facts=facts(config, setup),
        metrics=metric_tables({name: found[name].rows() for name in shown}, metric_names(mode)),
        evaluated=Evaluated(split, mode, tables[split], found[split].tuning),
        per_class=found[split].per_class,
        history=told_epochs(tracker),
        best_epoch=best_epoch,
        looking=Looking(setup.splits[split], setup.module.classifier, mode, device),
    )
    publish_report(tracker, config.report, config.plugins, subject)
