"""The probes of one backbone by one pooling: fitted, evaluated and logged, each as a run."""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.config.influence import group_digest
from sightline.config.probe_names import Pooling, ProbeName
from sightline.config.schema import Job
from sightline.evaluation.destination import new_run
from sightline.metrics.evaluation import Evaluation, evaluate_table
from sightline.metrics.fitted_tuning import fit_on_val
from sightline.metrics.tuned_table import parts_of_val
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions, with_columns
from sightline.probing.backbone import Backbone
from sightline.probing.board import Row
from sightline.probing.data import ProbeData
from sightline.probing.extraction import SplitFeatures
from sightline.probing.few_shot import FewShot, fit_few
from sightline.probing.fitted import FittedProbe
from sightline.probing.judge import Judge, make_judge
from sightline.probing.logging import log_probe
from sightline.probing.probes import PROBES
from sightline.probing.record import ProbeRecord
from sightline.probing.settings import ProbeSettings
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow import tags
from sightline.tracking.sender.client import upload_pending

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProbeTask:
    """What one backbone is probed on.

    Attributes:
        backbone: frozen.
        data: its splits and labels.
        found: features of each split.
        pooling: of the features.
        job: the folder above the runs, and the command.
        settings: of the probes.
    """

    backbone: Backbone
    data: ProbeData
    found: SplitFeatures
    pooling: Pooling
    job: Job
    settings: ProbeSettings

    @property
    def evaluated(self) -> tuple[str, ...]:
        """The splits with predictions."""
        return tuple(name for name in self.found.labelled if name != "train")

    def judge(self, split: str) -> Judge:
        """The measure on a split."""
        config = self.backbone.config
        targets = self.found.labelled[split].targets
        return make_judge(self.data.mode, targets, config.monitor, config.plugins)


def fit_probes(
    backbone: Backbone, data: ProbeData, found: SplitFeatures, pooling: Pooling, job: Job,
    settings: ProbeSettings,
) -> list[Row]:  # fmt: skip
    """Fit each probe that has no finished run, and log it.

    Args:
        backbone: frozen.
        data: its splits and labels.
        found: features of each split.
        pooling: of the features.
        job: the folder above the runs, and the command.
        settings: of the probes.
    """
    task = ProbeTask(backbone, data, found, pooling, job, settings)
    return [_run(task, name) for name in settings.probes]


def sweep_of(folder: Path) -> str:
    """The name that the probes in a folder share, by which `compare` finds them."""
    return f"probes of {folder.name}"


def _run(task: ProbeTask, name: ProbeName) -> Row:
    """The run of one probe; the one that is there, if it finished."""
    backbone, config = task.backbone, task.backbone.config
    facts = _facts(task, name)
    own = group_digest(facts | {
        "seed": config.seed, "store": config.tracking.uri, "splits": task.evaluated,
        "experiment": config.tracking.experiment, "checkpoints": task.settings.checkpoints,
    })  # fmt: skip
    pooled = "" if task.pooling == "head" else f"-{task.pooling}"
    title = f"{backbone.name}{pooled}-{name}"
    folder = RunFolder(task.job.output_dir / f"{title.replace('/', '-')}-{own[:8]}")
    results = folder.results()
    if results is not None:
        log.info("%s is finished; it is not fitted again.", title)
        upload_pending(config.tracking, folder)
        return Row.of(results, str(folder))
    began = time.process_time()
    judge = task.judge("val")
    parts = task.found.labelled
    probe = PROBES[name]
    fitted = probe(parts["train"], parts["val"], judge, None, config.seed)
    few = _few(task, name, judge)
    seconds = time.process_time() - began
    tables, tuning, evaluations = _evaluate(task, fitted)
    record = ProbeRecord(name, task.pooling, fitted, tuple(few), judge, backbone, task.data,
                         task.found, facts, seconds)  # fmt: skip
    purpose = {tags.KIND: tags.KIND_PROBE, tags.SWEEP: sweep_of(task.job.output_dir)}
    shown = config.tracking.run_name or f"{title} s{config.seed} {task.data.source.name}"
    with new_run(purpose, shown, folder, task.job.command, config.tracking) as (tracker, _):
        folder.freeze(config, replace(task.job, output_dir=folder.path))
        reached = log_probe(tracker, task.job, record, tables, tuning, evaluations, task.settings)
    log.info("%s", record.describe(reached))
    return Row.of(reached, str(folder))


def _facts(task: ProbeTask, name: ProbeName) -> dict[str, Any]:
    """What the numbers depend on, beside the seed."""
    backbone, data, settings = task.backbone, task.data, task.settings
    config = backbone.config
    digests = {n: each.digest(data.contents[n]) for n, each in data.splits.items()}
    return {
        "probe": name, "pooling": task.pooling, "backbone": backbone.digest,
        "model": backbone.name, "label_mode": data.mode.name, "classes": data.mode.class_names,
        "settings": data.mode.settings(), "data": digests, "tuning": config.tuning.model_dump(),
        "monitor": config.monitor, "shots": settings.shots, "draws": settings.draws,
    }  # fmt: skip


def _few(task: ProbeTask, name: ProbeName, judge: Judge) -> list[FewShot]:
    parts, settings = task.found.labelled, task.settings
    split = task.evaluated[-1]
    return fit_few(
        PROBES[name], task.data.mode, (parts["train"], parts["val"], parts[split]),
        (judge, task.judge(split)), settings.shots or (), settings.draws,
        task.backbone.config.seed,
    )  # fmt: skip


def _evaluate(
    task: ProbeTask, fitted: FittedProbe
) -> tuple[dict[str, Predictions], Tuning, dict[str, Evaluation]]:
    """Predictions of each split, the tuning that val gives, and the metrics under it."""
    mode, plugins = task.data.mode, task.backbone.config.plugins
    tables = {}
    for name in task.evaluated:
        split = task.found.splits[name]
        probs = fitted.probs(task.found.labelled[name].features).astype(np.float32)
        table = Predictions(
            np.array(split.ids.to_pylist(), dtype=str), np.ascontiguousarray(split.targets), probs,
            mode.class_names, mode.name,
        )  # fmt: skip
        tables[name] = with_columns(table, split.metadata, split.groups)
    tuning = fit_on_val(mode, tables["val"], task.backbone.config.tuning)
    evaluations = {
        name: evaluate_table(
            mode, table, tuning, plugins=plugins,
            parts=parts_of_val(tuning, table) if name == "val" else None,
        )
        for name, table in tables.items()
    }  # fmt: skip
    return tables, tuning, evaluations
