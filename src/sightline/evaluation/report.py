"""report.html of an evaluation."""

from collections.abc import Sequence

from sightline.config.validation import Node
from sightline.errors import counted
from sightline.evaluation.stored_model import StoredModel
from sightline.evaluation.target import EvaluationTarget
from sightline.inference.explainer import SampleExplainer
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.tuned_table import RULE_TITLES
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.metric_tables import metric_tables
from sightline.reports.verdict import verdict
from sightline.tracking.tracker import Tracker
from sightline.training.logging import report

OF_A_TRAINING = "learning_curves"  # the section that needs a training's epochs


def log_report(
    tracker: Tracker, sections: dict[str, Node], plugins: tuple[str, ...], stored: StoredModel,
    target: EvaluationTarget, parts: Sequence[tuple[EvaluationTarget, Evaluation]],
) -> None:  # fmt: skip
    """Log NAME/report.html; sections of images are empty where only predictions are stored.

    Args:
        tracker: of the run.
        sections: of the config composed now.
        plugins: packages whose sections and metrics are used.
        stored: the evaluated model.
        target: name, predictions and samples.
        parts: the target with its metrics, and where there is one, its part that was not seen in
            training.
    """
    model, samples = stored.model, target.samples
    mode = model.label_mode
    explainer = None
    if samples is not None:
        explainer = SampleExplainer(samples.split, model.classifier, mode, model.device)
    found = parts[0][1]
    evaluated = EvaluatedSplit(target.name, mode, target.table, model.tuning, found.parts)
    content = report.ReportContent(
        title=stored.run.name if stored.run else stored.path.name,
        subtitle=f"{stored.path.name} on {target.name}, {counted(len(target.table), 'sample')}",
        facts={
            "data": samples.name if samples else f"the stored predictions of {target.name}",
            "labels": mode.describe(),
            **({"seen": target.seen.describe()} if target.seen else {}),
        },
        metrics=metric_tables(
            {part.name: each.rows() for part, each in parts},
            headline_names(mode, model.tuning, plugins),
            RULE_TITLES[model.tuning.rule],
        ),
        evaluated=evaluated,
        per_class=found.per_class,
        history=[],
        best_epoch=None,
        explainer=explainer,
        verdict=verdict(evaluated, found, [], plugins),
    )
    wanted = {name: node for name, node in sections.items() if name != OF_A_TRAINING}
    report.publish_report(tracker, wanted, plugins, content, folder=f"{target.name}/")
