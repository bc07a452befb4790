"""The log of a training's results: tables, figures, best values, a note, and the last lines."""

import logging
from typing import Any

from sightline.config.schema import TrainConfig
from sightline.inference.decisions import Decisions
from sightline.label_modes.base import LabelMode
from sightline.metrics.evaluation import Evaluation, evaluate_table
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.tuned_table import (
    RULE_FACT,
    RULE_TITLES,
    parts_of_val,
    rule_words,
    tuning_facts,
)
from sightline.metrics.tuning import Tuning, tuning_record
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.formatted_metrics import format_metrics
from sightline.reports.verdict import rounded, verdict
from sightline.runs.folder import BEST, LAST
from sightline.tracking.description import note
from sightline.tracking.mlflow.tags import DECISION_RULE, NOTE, result
from sightline.tracking.tracker import Tracker
from sightline.training.fit import Results
from sightline.training.logging.evaluation import SECTIONS, count_test_look, log_evaluation
from sightline.training.logging.final_report import log_training_report
from sightline.training.logging.report import epoch_history
from sightline.training.logging.start import facts
from sightline.training.setup import Setup

log = logging.getLogger(__name__)


def log_results(
    tracker: Tracker, config: TrainConfig, setup: Setup, results: Results
) -> dict[str, Any]:
    """Log the results of the best checkpoint: val under `val_best/`, test under `test/`.

    Returns:
        The content of `results.json`.
    """
    last_epoch = results.epochs - 1
    tracker.log_metrics(_summary(results), step=last_epoch)
    mode, tuning, plugins = setup.label_mode, results.tuning, config.plugins
    parts = {"val": parts_of_val(tuning, results.predictions["val"])}
    found = {
        split: evaluate_table(mode, table, tuning, plugins=plugins, parts=parts.get(split))
        for split, table in results.predictions.items()
    }
    reached: dict[str, Any] = {"metrics": {}, "intervals": {}, "withheld": {}}
    reached["tuning"] = log_rule(tracker, mode, tuning)
    for split, each in found.items():
        table = results.predictions[split]
        log_evaluation(tracker, mode, split, SECTIONS[split], table, each, last_epoch)
        headlines = {name: each.metrics[name] for name in each.headlines}
        reached["metrics"][split] = {"loss": results.losses[split]} | headlines
        reached["intervals"][split] = each.interval_ends()
        reached["withheld"][split] = each.withheld_headlines()
        tracker.set_tags(shown_result(split, each, headline_names(mode, tuning, plugins)[0]))
    if "test" in found:
        count_test_look(tracker, tracker.before.tags)
    log_training_report(tracker, config, setup, results.predictions, found, results.best_epoch)
    for path in (BEST, LAST):
        tracker.log_artifact(path)
    shown = "test" if "test" in found else "val"
    evaluated = EvaluatedSplit(shown, mode, results.predictions[shown], tuning, found[shown].parts)
    sentences = verdict(evaluated, found[shown], epoch_history(tracker), plugins)
    trained = (
        f"{results.epochs} epochs, best {config.monitor} in epoch {results.best_epoch + 1}; the "
        "figures below are of that checkpoint"
    )
    rule = tuning_facts(mode, tuning)
    about = {"verdict": "; ".join(sentences), RULE_FACT: rule[RULE_FACT], **facts(config, setup)}
    about |= {"training": trained} | rule
    reached |= {"best_epoch": results.best_epoch, "epochs": results.epochs,
                "stopped_early": results.stopped_early, "parameters": setup.parameters}  # fmt: skip
    tracker.log_json(reached, "results.json")
    tracker.set_tags({NOTE: note(about, format_metrics(reached))})
    tracker.log_model_checkpoint(
        BEST, mode.class_names, mode.multi_label, plugins, results.best_epoch,
        Decisions(mode, tuning).fitted_columns,
    )  # fmt: skip
    return reached


def shown_result(split: str, found: Evaluation, metric: str) -> dict[str, str]:
    """The tag with the first headline metric, rounded, with its interval and a tuned rule."""
    if metric not in found.metrics:
        return {}
    name = metric.removesuffix(found.tuning.suffix)
    rule = "" if name == metric else f", {RULE_TITLES[found.tuning.rule]}"
    words = rounded(found.metrics[metric], found.interval_ends().get(metric))
    return {result(split, name): words + rule}


def _summary(results: Results) -> dict[str, float]:
    """Metrics beside those of the tables; prints an average's loss beside the trained weights'."""
    if results.raw:
        average, raw = results.losses["val"], results.raw["val_raw/loss"]
        log.info("average:  val/loss %.4f, of the trained weights %.4f", average, raw)
    summary = {"val_best/epoch": float(results.best_epoch), "epochs": float(results.epochs)}
    summary["val_best/temperature"] = results.tuning.temperature
    summary |= {f"{SECTIONS[split]}/loss": loss for split, loss in results.losses.items()}
    return summary | results.raw


def log_rule(tracker: Tracker, label_mode: LabelMode, tuning: Tuning) -> dict[str, Any]:
    """Log the decision rule: a line, a tag and a file; the record without the fits of parts."""
    words = rule_words(label_mode, tuning)
    log.info("decision rule: %s", words)
    tracker.set_tags({DECISION_RULE: words})
    record = tuning_record(label_mode, tuning) | {"decision_rule": words}
    by_part = [each.to_dict() for each in tuning.parts]
    tracker.log_json(record | {"parts": by_part}, "tuning.json")
    return record
