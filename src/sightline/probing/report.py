"""The page report.html of a probe's run."""

from collections.abc import Mapping

from sightline.errors import counted
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.tuned_table import RULE_TITLES
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions
from sightline.probing.record import ProbeRecord
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.metric_tables import metric_tables
from sightline.reports.verdict import verdict
from sightline.tracking.tracker import Tracker
from sightline.training.logging import report

OF_TRAINING = ("learning_curves", "grad_cam", "embedding")  # sections that a probe cannot fill


def log_report(
    tracker: Tracker, record: ProbeRecord, tables: Mapping[str, Predictions], tuning: Tuning,
    evaluations: Mapping[str, Evaluation], about: Mapping[str, str],
) -> None:  # fmt: skip
    """Log the page, of the last split that was evaluated.

    Args:
        tracker: of the run.
        record: of the probe.
        tables: predictions of each split.
        tuning: that val gave.
        evaluations: of each split.
        about: facts in words.
    """
    config, mode = record.backbone.config, record.data.mode
    split = list(evaluations)[-1]
    table, each = tables[split], evaluations[split]
    evaluated = EvaluatedSplit(split, mode, table, tuning, each.parts)
    content = report.ReportContent(
        title=report.logged_name(tracker),
        subtitle=f"Probe of a frozen backbone on {split}, {counted(len(table), 'sample')}",
        facts=about,
        metrics=metric_tables(
            {name: one.rows() for name, one in evaluations.items()},
            headline_names(mode, tuning, config.plugins),
            RULE_TITLES[tuning.rule],
        ),
        evaluated=evaluated,
        per_class=each.per_class,
        history=[],
        best_epoch=None,
        explainer=None,
        verdict=verdict(evaluated, each, [], config.plugins),
    )
    sections = {name: node for name, node in config.report.items() if name not in OF_TRAINING}
    report.publish_report(tracker, sections, config.plugins, content)
