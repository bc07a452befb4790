"""The start of an MLflow run: who made it, of what, with which settings."""

import logging
from typing import TYPE_CHECKING

import yaml

from sightline.config import Job, TrainConfig
from sightline.tracking.dataset_input import dataset_inputs
from sightline.tracking.describe import params, run_name
from sightline.tracking.provenance import command_line, environment, git_state
from sightline.tracking.store import Store, hide_password
from sightline.tracking.tracker import Tracker

if TYPE_CHECKING:
    from sightline.training.setup import Setup

log = logging.getLogger(__name__)


def start_run(store: Store, config: TrainConfig, job: Job, setup: "Setup") -> Tracker:
    """Create the run and log everything that is known before the first step."""
    name = run_name(config, job)
    command = hide_password(command_line())
    git = git_state()
    tags = {"command": command, "mlflow.source.name": "sightline", "mlflow.source.type": "LOCAL"}
    tags["run_folder"] = str(job.output_dir)
    if git is not None:
        tags |= {
            "mlflow.source.git.commit": git.commit or "none",
            "git.dirty": str(git.dirty).lower(),
        }
    run = store.client.create_run(store.experiment_id, run_name=name, tags=tags)
    tracker = Tracker(store.client, store.uri, run.info.run_id, job.output_dir)
    try:
        _describe(tracker, config, job, setup)
        if git is not None:
            tracker.text(git.status, "provenance/git_status.txt")
            tracker.text(git.diff, "provenance/git.diff")
    except BaseException as error:
        tracker.tags({"error": f"{type(error).__name__}: {error}"})
        tracker.finish("FAILED")
        raise
    if config.tracking.system_metrics_interval_s is not None:
        tracker.watch_system(config.tracking.system_metrics_interval_s)
    for key, value in facts(config, setup).items():
        log.info("%s %s", f"{key}:".ljust(8), value)
    log.info("%s %s (%s)", "run:".ljust(8), name, tracker.run_id)
    return tracker


def facts(config: TrainConfig, setup: "Setup") -> dict[str, str]:
    """What the run is, in a few lines for the terminal and the note."""
    sizes = ", ".join(f"{name} {len(split):,}" for name, split in setup.splits.items())
    module = setup.module
    spec = module.classifier.preprocess
    total = sum(parameter.numel() for parameter in module.parameters())
    learnt = sum(p.numel() for p in module.parameters() if p.requires_grad)
    frozen = "" if learnt == total else f" ({learnt:,} learn)"
    name = config.model.get("name") or config.model["_target_"].rsplit(".", 1)[-1]
    return {
        "data": f"{setup.source.name} ({setup.source.location}): {sizes}",
        "labels": setup.label_mode.describe(),
        "model": f"{name}, {total:,} parameters{frozen}, input {spec.in_chans}×{spec.img_size}"
        f"×{spec.img_size}",
    }


def _describe(tracker: Tracker, config: TrainConfig, job: Job, setup: "Setup") -> None:
    inputs, digests = dataset_inputs(setup.source, setup.splits, setup.label_mode)
    spec = setup.module.classifier.preprocess
    total = sum(parameter.numel() for parameter in setup.module.parameters())
    found = {
        "model.parameters": total,
        "model.input": f"{spec.in_chans}x{spec.img_size}x{spec.img_size}",
        "data.digest.train": digests["train"],
        "data.digest.val": digests["val"],
        "data.digest.test": digests["test"],
    }
    positive = getattr(setup.label_mode, "positive_class", None)
    if positive is not None:
        found["label_mode.positive_class"] = positive
    tracker.params(params(config, job) | found)
    tracker.datasets(inputs)
    resolved = yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True)
    tracker.text(hide_password(resolved), "config/config.yaml")
    overrides = yaml.safe_dump(job.overrides, allow_unicode=True)
    tracker.text(hide_password(overrides), "config/overrides.yaml")
    tracker.json(environment(), "provenance/environment.json")
    tracker.text(hide_password(command_line()) + "\n", "provenance/command.txt")
