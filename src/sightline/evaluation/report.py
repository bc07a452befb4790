"""report.html of an evaluation, beside that of the training."""

from sightline.config.schema import Node
from sightline.evaluation.target import Subject, Trained
from sightline.inference.explainer import SampleExplainer
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.values import metric_names
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.metric_tables import metric_tables
from sightline.tracking.tracker import Tracker
from sightline.training.logging import report

OF_A_TRAINING = "learning_curves"  # the section that no evaluation has


def log_report(
    tracker: Tracker, sections: dict[str, Node], plugins: tuple[str, ...], trained: Trained,
    subject: Subject, found: Evaluation,
) -> None:  # fmt: skip
    """Make NAME/report.html; sections that look at images only where they were at hand.

    Args:
        tracker: of the run.
        sections: of today's config.
        plugins: packages whose sections may be named.
        trained: the model.
        subject: what was evaluated.
        found: its evaluation.
    """
    model, samples = trained.model, subject.samples
    mode = model.label_mode
    looking = None
    if samples is not None:
        looking = SampleExplainer(samples.split, model.classifier, mode, model.device)
    what = report.Subject(
        title=trained.run.name if trained.run else trained.path.name,
        subtitle=f"{trained.path.name} on {subject.name}, {len(subject.table):,} samples",
        facts={
            "data": samples.name if samples else f"the stored predictions of {subject.name}",
            "labels": mode.describe(),
        },
        metrics=metric_tables({subject.name: found.rows()}, metric_names(mode)),
        evaluated=EvaluatedSplit(subject.name, mode, subject.table, model.tuning),
        per_class=found.per_class,
        history=[],
        best_epoch=None,
        looking=looking,
    )
    wanted = {name: node for name, node in sections.items() if name != OF_A_TRAINING}
    report.publish_report(tracker, wanted, plugins, what, folder=f"{subject.name}/")
