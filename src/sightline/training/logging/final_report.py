"""The report of a training that has just ended: of test where it was evaluated, else of val."""

from collections.abc import Mapping

import torch

from sightline.config.schema import TrainConfig
from sightline.inference.explainer import SampleExplainer
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.tuned_table import RULE_TITLES
from sightline.predictions import Predictions
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.metric_tables import metric_tables
from sightline.reports.verdict import verdict
from sightline.tracking.tracker import Tracker
from sightline.training.devices import uses_gpu
from sightline.training.logging.report import (
    ReportContent,
    epoch_history,
    logged_name,
    publish_report,
)
from sightline.training.logging.start import facts
from sightline.training.setup import Setup


def log_training_report(
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
    tuning = found[split].tuning
    shown = [split, *(name for name in found if name != split)]
    evaluated = EvaluatedSplit(split, mode, tables[split], tuning, found[split].parts)
    history = epoch_history(tracker)
    content = ReportContent(
        title=logged_name(tracker),
        subtitle=f"The best checkpoint (epoch {best_epoch + 1}, by {config.monitor}) on {split}",
        facts=facts(config, setup),
        metrics=metric_tables(
            {name: found[name].rows() for name in shown},
            headline_names(mode, tuning, config.plugins),
            RULE_TITLES[tuning.rule],
        ),
        evaluated=evaluated,
        per_class=found[split].per_class,
        history=history,
        best_epoch=best_epoch,
        explainer=SampleExplainer(setup.splits[split], setup.module.classifier, mode, device),
        verdict=verdict(evaluated, found[split], history, config.plugins),
    )
    publish_report(tracker, config.report, config.plugins, content)
