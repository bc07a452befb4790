"""The log of an import: parameters, tables, metrics, the report, and the results of its run."""

from collections.abc import Mapping
from typing import Any

from sightline.config.influence import group_digest
from sightline.config.schema import Job, TrainConfig
from sightline.errors import counted
from sightline.importing.imported import Imported
from sightline.importing.settings import ImportSettings
from sightline.io.digests import file_digest
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.tuned_table import RULE_TITLES
from sightline.metrics.tuning import Tuning
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.formatted_metrics import format_metrics
from sightline.reports.metric_tables import metric_tables
from sightline.reports.verdict import verdict
from sightline.tracking.dataset_inputs import dataset_inputs
from sightline.tracking.description import MAX_VALUE, note, params
from sightline.tracking.mlflow import tags
from sightline.tracking.tracker import Tracker
from sightline.training.logging import report
from sightline.training.logging.evaluation import SECTIONS, count_test_look, log_evaluation
from sightline.training.logging.results import log_rule, shown_result
from sightline.training.logging.start import classes_param

OF_THE_DATA = ("data", "label_mode")  # the parameters that an import knows
OF_A_MODEL = ("learning_curves", "grad_cam", "embedding")  # sections that need one
MARK = "(imported)"


def log_import(
    tracker: Tracker, config: TrainConfig, job: Job, found: Imported, settings: ImportSettings,
    evaluations: Mapping[str, Evaluation],
) -> dict[str, Any]:  # fmt: skip
    """Log everything of an import.

    Returns:
        The content of `results.json`.
    """
    _log_params(tracker, config, job, found, settings)
    mode, tuning = found.mode, Tuning()
    reached: dict[str, Any] = {"metrics": {}, "intervals": {}, "withheld": {}}
    reached["tuning"] = log_rule(tracker, mode, tuning)
    main = headline_names(mode, tuning, config.plugins)[0]
    for split, each in evaluations.items():
        log_evaluation(tracker, mode, split, SECTIONS[split], found.tables[split], each, step=0)
        loss = each.metrics["log_loss"]  # what trainings with cross-entropy have under this name
        tracker.log_metrics({f"{SECTIONS[split]}/loss": loss}, step=0)
        reached["metrics"][split] = {"loss": loss} | {n: each.metrics[n] for n in each.headlines}
        reached["intervals"][split] = each.interval_ends()
        reached["withheld"][split] = each.withheld_headlines()
        tracker.set_tags(shown_result(split, each, main))
    if "test" in evaluations:
        count_test_look(tracker, tracker.before.tags)
    about = facts(found, settings)
    if settings.report:
        _log_report(tracker, config, found, settings, evaluations)
    tracker.log_json(reached, "results.json")
    tracker.set_tags({tags.NOTE: note(about, format_metrics(reached))})
    return reached


def facts(found: Imported, settings: ImportSettings) -> dict[str, str]:
    """What was imported, in a line each, for the terminal, the note and the report."""
    counts = ", ".join(f"{name} {len(table):,}" for name, table in found.tables.items())
    return {
        "imported": f"{settings.file}, {found.kind} in {found.form}",
        "data": f"{found.source.name} ({found.source.location}): {counts}; joined "
        f"{found.joined.describe()}",
        "targets": found.targets,
        "labels": found.mode.describe(),
    }


def _log_params(
    tracker: Tracker, config: TrainConfig, job: Job, found: Imported, settings: ImportSettings
) -> None:
    """The parameters of the data; the model is the import's name, and marked."""
    inputs, digests = dataset_inputs(found.source, found.splits, found.contents, found.mode)
    known = {key: value for key, value in params(config, job).items()
             if key.partition(".")[0] in OF_THE_DATA}  # fmt: skip
    known |= {f"label_mode.{key}": value for key, value in found.mode.settings().items()}
    known |= {f"data.digest.{split}": digest for split, digest in digests.items()}
    known["data.classes"] = classes_param(found.mode.class_names)
    model = f"{settings.name} {MARK}"
    known |= {"model": model, "monitor": config.monitor}
    known |= {} if settings.seed is None else {"seed": settings.seed}
    own = {"model": model} | {f"data.digest.{name}": digests[name] for name in found.tables}
    file = file_digest(settings.file)
    digest = group_digest(own | ({"file": file} if settings.seed is None else {}))
    group = f"{settings.name[:MAX_VALUE]} {found.source.name} #{digest[:8]}"
    tracker.log_params(known | {tags.GROUP: group})
    tracker.set_tags({tags.GROUP_DIGEST: digest})
    tracker.log_datasets(inputs)
    record = {"file": settings.file.name, "digest": file,
              "rows": sum(map(len, found.tables.values())), "kind": found.kind,
              "form": found.form, "joined": found.joined.how}  # fmt: skip
    tracker.log_json(record, "imported.json")


def _log_report(
    tracker: Tracker, config: TrainConfig, found: Imported, settings: ImportSettings,
    evaluations: Mapping[str, Evaluation],
) -> None:  # fmt: skip
    split = "test" if "test" in evaluations else next(iter(evaluations))
    mode, table, each, tuning = found.mode, found.tables[split], evaluations[split], Tuning()
    evaluated = EvaluatedSplit(split, mode, table, tuning, each.parts)
    content = report.ReportContent(
        title=settings.name,
        subtitle=f"Imported predictions on {split}, {counted(len(table), 'sample')}",
        facts=facts(found, settings),
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
    sections = {name: node for name, node in config.report.items() if name not in OF_A_MODEL}
    report.publish_report(tracker, sections, config.plugins, content)
