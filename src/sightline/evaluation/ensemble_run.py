"""The run of an ensemble: checkpoint, predictions, metrics and model, as a training logs them."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from sightline.config.schema import Job, TrainConfig
from sightline.errors import counted
from sightline.evaluation.destination import new_run
from sightline.evaluation.ensemble_members import Member
from sightline.evaluation.ensemble_page import INFORMATION, MemberTables, log_ensemble_page
from sightline.inference.decisions import Decisions
from sightline.io.atomic import atomic_path
from sightline.label_modes.base import LabelMode
from sightline.metrics.evaluation import Evaluation, evaluate_table
from sightline.metrics.tuned_table import parts_of_val, rule_words, tuning_facts
from sightline.metrics.tuning import Tuning, tuning_record
from sightline.predictions import Predictions
from sightline.reports.formatted_metrics import format_metrics
from sightline.runs.folder import BEST, RunFolder
from sightline.tracking.description import note
from sightline.tracking.mlflow import tags
from sightline.tracking.tracker import Tracker
from sightline.training.logging.evaluation import SECTIONS, count_test_look, log_evaluation

log = logging.getLogger(__name__)

PARAMS_OF_ONE = ("seed", "data.fold", tags.GROUP)  # what no ensemble has


def log_ensemble(
    members: Sequence[Member], mode: LabelMode, tables: Mapping[str, Predictions], tuning: Tuning,
    checkpoint: Mapping[str, Any], config: TrainConfig, job: Job, shown: Sequence[MemberTables],
) -> dict[str, Any]:  # fmt: skip
    """Log an ensemble as a run.

    Args:
        members: of the ensemble.
        mode: of the tables.
        tables: of each split that was evaluated.
        tuning: fitted on val.
        checkpoint: `state_dict` and `sightline`, as a training writes it.
        config: that the run is frozen with.
        job: its folder and command.
        shown: the members with their weights and predictions, for the page.

    Returns:
        The content of `results.json`.
    """
    plugins, found = config.plugins, {}
    for split, table in tables.items():
        parts = parts_of_val(tuning, table) if split == "val" else None
        found[split] = evaluate_table(mode, table, tuning, plugins=plugins, parts=parts)
    folder = RunFolder(job.output_dir)
    names = ", ".join(str(each.run.name) for each in members)
    name = f"ensemble of {len(members)}: {names}"[:200]
    purpose = {tags.ENSEMBLE: ", ".join(each.key for each in members)}
    with new_run(purpose, name, folder, job.command, config.tracking) as (tracker, client):
        tracker.log_params(_params(members))
        with atomic_path(tracker.file(BEST)) as partial:
            torch.save(dict(checkpoint), partial)
        results = _log_results(tracker, mode, tables, found, tuning)
        facts = {"ensemble": f"{counted(len(members), 'run')}: {names}"}
        facts |= tuning_facts(mode, tuning)
        tracker.set_tags({tags.NOTE: note(facts, format_metrics(results))})
        folder.freeze(config, replace(job, choices=job.choices | {"model": "ensemble"}))
        tracker.log_json(results, "results.json")
        log_ensemble_page(tracker, shown, mode, tables, tuning, found, config, facts)
        tracker.log_artifact(BEST)
        tracker.log_model_checkpoint(
            BEST, mode.class_names, mode.multi_label, list(plugins), 0,
            Decisions(mode, tuning).fitted_columns,
        )  # fmt: skip
        run = client.wait_for_run()
    log.info("folder:           %s", folder)
    log.info("MLflow run:       %s", run.run_id if run else "not in MLflow yet")
    return results


def _log_results(
    tracker: Tracker, mode: LabelMode, tables: Mapping[str, Predictions],
    found: Mapping[str, Evaluation], tuning: Tuning,
) -> dict[str, Any]:  # fmt: skip
    record = tuning_record(mode, tuning) | {"decision_rule": rule_words(mode, tuning)}
    by_part = [each.to_dict() for each in tuning.parts]
    tracker.log_json(record | {"parts": by_part}, "tuning.json")
    tracker.set_tags({tags.DECISION_RULE: record["decision_rule"]})
    reached: dict[str, Any] = {"metrics": {}, "intervals": {}, "withheld": {}, "tuning": record}
    for split, each in found.items():
        log_evaluation(tracker, mode, split, SECTIONS[split], tables[split], each, 0)
        information = float(tables[split].metadata[INFORMATION].mean())
        tracker.log_metrics({f"{SECTIONS[split]}/{INFORMATION}": information}, 0)
        reached["metrics"][split] = {name: each.metrics[name] for name in each.headlines}
        reached["intervals"][split] = each.interval_ends()
        reached["withheld"][split] = each.withheld_headlines()
    if "test" in found:
        count_test_look(tracker, {})
    return reached


def _params(members: Sequence[Member]) -> dict[str, str]:
    """What all members share, with a group that is of these members alone."""
    first = members[0].run.params
    shared = {
        key: value for key, value in first.items()
        if all(each.run.params.get(key) == value for each in members)
        and key not in PARAMS_OF_ONE
    }  # fmt: skip
    digest = hashlib.sha256(" ".join(sorted(each.key for each in members)).encode()).hexdigest()
    own = {"model": "ensemble", tags.GROUP: f"ensemble of {len(members)} #{digest[:8]}"}
    return shared | own
