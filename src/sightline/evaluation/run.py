"""Evaluation of a stored model, top-down: model, predictions, metrics, logging."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from torch import nn

from sightline.config.schema import Job, TrackingConfig, TrainConfig
from sightline.errors import UserError, counted
from sightline.evaluation.announce import announce
from sightline.evaluation.destination import new_run_for, original_run
from sightline.evaluation.logging import log_robustness, log_seen, log_slices
from sightline.evaluation.overrides import (
    UNCHANGED,
    DataOverrides,
    compose_now,
    overridden_config,
)
from sightline.evaluation.published import published_model
from sightline.evaluation.report import log_report
from sightline.evaluation.result import EvaluationResult
from sightline.evaluation.settings import EvaluationSettings
from sightline.evaluation.stored_model import StoredModel
from sightline.evaluation.target import (
    EvaluationTarget,
    predicted_target,
    stored_target,
)
from sightline.inference.load import load_checkpoint, read_checkpoint
from sightline.io.console import log_to_console
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.slices import measure_slices
from sightline.metrics.tuned_table import parts_of_val, rule_words
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow.stored_run import find_checkpoint_file
from sightline.tracking.mlflow.tags import DECISION_RULE, LOOKS, evaluated_digest
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker
from sightline.training.logging.evaluation import count_test_look, log_evaluation

log = logging.getLogger(__name__)


def evaluate(
    run: str | None, uri: str | None, settings: EvaluationSettings, changes: DataOverrides,
    command: str, network: nn.Module | None = None,
) -> EvaluationResult:  # fmt: skip
    """Evaluate a run's model and log the results.

    Args:
        run: a name of the run, or a checkpoint file; None for a published model.
        uri: of the tracking store; None for the default.
        settings: split, metrics and views.
        changes: overrides of data and tracking, and the published model.
        command: as it was typed, which a new run records.
        network: of a run that was trained with model=given.

    Raises:
        UserError: the run, the data or an option cannot be used; nothing is logged then.
    """
    now, job = compose_now(changes)
    with log_to_console():
        if run is None:
            stored = published_model(changes)
        else:
            stored = _load(run, uri, settings.plugins, network)
        found = _evaluate(stored, settings, changes, now)
        _check_name(stored, found.target)
        tracking = now.tracking.model_copy(update={"uri": uri or now.tracking.uri})
        with _destination(stored, settings, tracking, job, found, command) as (tracker, client):
            _log(tracker, stored, found, settings.plugins)
            if settings.report:
                log_report(tracker, now.report, settings.plugins, stored, found.target,
                            found.parts)  # fmt: skip
            if not settings.new_run:
                _count_look(tracker, stored, found.target)
        if settings.new_run and stored.run is not None and found.target.inspects("test"):
            with original_run(stored.run, tracking) as (own, _):
                _count_look(own, stored, found.target)
        log.info("decision rule: %s", rule_words(stored.model.label_mode, stored.model.tuning))
        announce(found, client, tracker)
    return found


def _load(
    wanted: str, uri: str | None, plugins: tuple[str, ...], network: nn.Module | None
) -> StoredModel:
    path, run = find_checkpoint_file(wanted, uri)
    model = load_checkpoint(path, plugins, network)
    return StoredModel(path, run, model, read_checkpoint(path)["sightline"].config)


def _evaluate(
    stored: StoredModel, settings: EvaluationSettings, changes: DataOverrides, now: TrainConfig
) -> EvaluationResult:
    target = stored_target(stored, settings, changes)
    if target is None:
        config = overridden_config(stored.config, now, settings.plugins, changes)
        own = overridden_config(stored.config, now, settings.plugins, UNCHANGED)
        target = predicted_target(stored, config, own, settings, changes)
    else:
        log.info("data:    the stored predictions of %s, %s", target.name,
                 counted(len(target.table), "sample"))  # fmt: skip
    if target.seen is not None:
        say = log.warning if target.seen.total or target.seen.unchecked else log.info
        say("%s: %s", target.name, target.seen.describe())
    if settings.exclude_seen:
        target = target.without_seen()
    mode, tuning = stored.model.label_mode, stored.model.tuning
    parts = parts_of_val(tuning, target.table) if target.inspects("val") else None
    found = evaluate_table(mode, target.table, tuning, plugins=settings.plugins, parts=parts)
    slices = [
        measure_slices(
            mode, target.table, tuning, column, settings.slice_metric, settings.min_slice,
            settings.plugins, parts,
        )
        for column in settings.slices
    ]  # fmt: skip
    unseen = None
    if target.seen is not None and 0 < target.seen.total < len(target.table):
        part = replace(target, seen=replace(target.seen, unchecked="")).without_seen()
        unseen = (part, evaluate_table(mode, part.table, tuning, plugins=settings.plugins))
    return EvaluationResult(target, found, slices, unseen)


def _check_name(stored: StoredModel, target: EvaluationTarget) -> None:
    """Refuse a name under which the run already has results of other data."""
    logged = stored.run.tags.get(evaluated_digest(target.name)) if stored.run else None
    if target.digest is not None and logged not in (None, target.digest):
        raise UserError(
            f"name={target.name}: the run already has results of other data under this name "
            f"(digest {logged}); give another name=NAME."
        )


def _destination(
    stored: StoredModel, settings: EvaluationSettings, tracking: TrackingConfig, job: Job,
    found: EvaluationResult, command: str,
) -> AbstractContextManager[tuple[Tracker, SenderClient]]:  # fmt: skip
    run = stored.run
    if run is not None and not settings.new_run:
        return original_run(run, tracking)
    title = f"{found.target.name} of {run.name if run else stored.path.name}"
    return new_run_for(stored.origin, title, RunFolder(job.output_dir), command, tracking)


def _log(
    tracker: Tracker, stored: StoredModel, found: EvaluationResult, plugins: Sequence[str]
) -> None:
    target, mode = found.target, stored.model.label_mode
    step = int(stored.run.metrics.get("epochs", 1)) - 1 if stored.run else 0
    for part, evaluation in found.parts:
        log_evaluation(
            tracker, mode, part.name, part.prefix, part.table, evaluation, step,
            known=stored.run.metrics if stored.run else {},
        )  # fmt: skip
    if target.seen is not None:
        log_seen(tracker, target.name, target.prefix, target.seen, step)
    for each in found.slices:
        log_slices(tracker, target.name, target.prefix, each, found.evaluation, step)
    if target.corrupted:
        log_robustness(tracker, mode, target.name, target.prefix, target.table,
                        target.corrupted, plugins)  # fmt: skip
    tracker.set_tags({DECISION_RULE: rule_words(mode, stored.model.tuning)})
    if target.digest is not None:
        tracker.set_tags({evaluated_digest(target.name): target.digest})


def _count_look(tracker: Tracker, stored: StoredModel, target: EvaluationTarget) -> None:
    if stored.run is None or not target.inspects("test"):
        return
    tags = max(stored.run.tags, tracker.before.tags, key=lambda tags: int(tags.get(LOOKS, "0")))
    log.info(
        "test:    this run's test split was looked at %d times", count_test_look(tracker, tags)
    )
