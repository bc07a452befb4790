"""The log of a probe's run: parameters, predictions, metrics, the settings tried, few-shot fits."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from sightline.config.decided import GEOMETRY, INPUT
from sightline.config.influence import REVISION, REVISION_KEY, group_digest
from sightline.config.schema import Job
from sightline.inference.decisions import Decisions
from sightline.io.atomic import atomic_path
from sightline.io.csv_files import to_csv
from sightline.metrics.evaluation import Evaluation
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.tuned_table import tuning_facts
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions
from sightline.probing.checkpoint import probe_checkpoint
from sightline.probing.record import ProbeRecord, facts_of
from sightline.probing.report import log_report
from sightline.probing.settings import ProbeSettings
from sightline.reports.formatted_metrics import format_metrics
from sightline.runs.folder import BEST
from sightline.tracking.dataset_inputs import dataset_inputs
from sightline.tracking.description import MAX_VALUE, note, params
from sightline.tracking.mlflow import tags
from sightline.tracking.tracker import Tracker
from sightline.training.logging.evaluation import SECTIONS, count_test_look, log_evaluation
from sightline.training.logging.results import log_rule, shown_result
from sightline.training.logging.start import classes_param

log = logging.getLogger(__name__)

OF_PROBES = ("data", "label_mode", "model")  # the parameters of a config that a probe has


def log_probe(
    tracker: Tracker, job: Job, record: ProbeRecord, tables: Mapping[str, Predictions],
    tuning: Tuning, evaluations: Mapping[str, Evaluation], settings: ProbeSettings,
) -> dict[str, Any]:  # fmt: skip
    """Log everything of a probe.

    Returns:
        The content of `results.json`.
    """
    mode, config = record.data.mode, record.backbone.config
    _log_params(tracker, job, record)
    reached: dict[str, Any] = {"metrics": {}, "intervals": {}, "withheld": {}}
    reached["tuning"] = log_rule(tracker, mode, tuning)
    main = headline_names(mode, tuning, config.plugins)[0]
    for split, each in evaluations.items():
        log_evaluation(tracker, mode, split, SECTIONS[split], tables[split], each, step=0)
        loss = each.metrics["log_loss"]  # what trainings with cross-entropy have under this name
        tracker.log_metrics({f"{SECTIONS[split]}/loss": loss}, step=0)
        reached["metrics"][split] = {"loss": loss} | {n: each.metrics[n] for n in each.headlines}
        reached["intervals"][split] = each.interval_ends()
        reached["withheld"][split] = each.withheld_headlines()
        tracker.set_tags(shown_result(split, each, main))
    if "test" in evaluations:
        count_test_look(tracker, tracker.before.tags)
    reached["probe"] = _log_fit(tracker, record)
    kept = settings.checkpoints and _log_checkpoint(tracker, record, tuning)
    tracker.set_tags({tags.CHECKPOINT: str(bool(kept)).lower()})
    about = facts_of(record)
    if settings.report:
        log_report(tracker, record, tables, tuning, evaluations, about)
    tracker.log_json(reached, "results.json")
    tracker.set_tags({tags.NOTE: note(about | tuning_facts(mode, tuning), format_metrics(reached))})
    return reached


def _log_params(tracker: Tracker, job: Job, record: ProbeRecord) -> None:
    backbone, data, config = record.backbone, record.data, record.backbone.config
    inputs, digests = dataset_inputs(data.source, data.splits, data.contents, data.mode)
    known = {key: value for key, value in params(config, job).items()
             if key.partition(".")[0] in OF_PROBES}  # fmt: skip
    known |= {f"label_mode.{key}": value for key, value in data.mode.settings().items()}
    known |= {f"data.digest.{split}": digest for split, digest in digests.items()}
    spec = backbone.classifier.preprocess
    known |= {
        "data.classes": classes_param(data.mode.class_names), "model": backbone.name,
        "model.parameters": backbone.parameters, INPUT: "x".join(map(str, spec.input)),
        GEOMETRY: spec.crop_mode, tags.BACKBONE: backbone.digest, "probe": record.name,
        "pooling": record.pooling, tags.CHOSEN: record.chosen, "seed": config.seed,
        "monitor": f"val/{record.judge.metric.name}", REVISION_KEY: REVISION,
        "data.skipped": len(record.found.skipped),
    }  # fmt: skip
    digest = group_digest(record.facts)
    title = f"{backbone.name} {record.name} {data.source.name}"[:MAX_VALUE]
    tracker.log_params(known | {tags.GROUP: f"{title} #{digest[:8]}"})
    tracker.set_tags({tags.GROUP_DIGEST: digest})
    tracker.log_datasets(inputs)
    if record.found.skipped:
        rows = [asdict(each) for each in record.found.skipped]
        tracker.log_data(to_csv(rows, decimals=None), "skipped.csv")


def _log_fit(tracker: Tracker, record: ProbeRecord) -> dict[str, Any]:
    """Log the settings that were tried and the few-shot fits; the record of `results.json`."""
    tracker.log_data(to_csv(record.fitted.tried, decimals=None), "probe/tried.csv")
    metric = record.judge.metric.name
    few: list[dict[str, object]] = [
        {"shots": each.shots, "draw": draw, metric: value}
        for each in record.few for draw, value in enumerate(each.values)
    ]  # fmt: skip
    if few:
        tracker.log_data(to_csv(few, decimals=None), "probe/few_shot.csv")
    tracker.log_metrics({f"few_shot_{e.shots}/{metric}": e.mean for e in record.few}, step=0)
    tracker.log_metrics({"probe/images_per_s": record.found.images_per_s}, step=0)
    return {
        "name": record.name, "model": record.backbone.name, "pooling": record.pooling,
        "chosen": record.chosen, "at_edge": list(record.fitted.at_edge), "metric": metric,
        "higher_is_better": record.judge.metric.higher_is_better,
        "parameters": record.backbone.parameters, "images_per_s": record.found.images_per_s,
        "cpu_s": record.seconds,
        "few_shot": [
            {"shots": each.shots, "draws": len(each.values), "mean": each.mean,
             "half_width": each.half_width}
            for each in record.few
        ],
    }  # fmt: skip


def _log_checkpoint(tracker: Tracker, record: ProbeRecord, tuning: Tuning) -> bool:
    """Log the backbone with the fitted head as a model; False where it has none."""
    head, backbone, mode = record.fitted.head, record.backbone, record.data.mode
    if head is None:
        return False
    found = None
    if record.pooling == "head":
        found = probe_checkpoint(backbone, record.data, head, tuning)
    if found is None:
        log.info("%s: no model is kept: %s has no single linear layer after these features.",
                 record.name, backbone.name)  # fmt: skip
        return False
    with atomic_path(tracker.file(BEST)) as partial:
        torch.save(found, partial)
    tracker.log_artifact(BEST)
    tracker.log_model_checkpoint(
        BEST, mode.class_names, mode.multi_label, list(backbone.config.plugins), 0,
        Decisions(mode, tuning).fitted_columns,
    )  # fmt: skip
    return True
