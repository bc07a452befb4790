"""The log of a training's start: name, tags, parameters, data sets, provenance."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import yaml

from sightline.config.influence import POOL, TRAIN_IMAGES, group_digest, influences
from sightline.config.schema import Job, TrainConfig
from sightline.data.cache.sample_digests import with_digests
from sightline.data.splits.make import split_digest, split_table
from sightline.io.csv_files import to_csv
from sightline.io.redaction import redacted
from sightline.models.fine_tuning import describe_fine_tuning
from sightline.tracking.dataset_inputs import dataset_inputs
from sightline.tracking.description import group_name, origin_tags, params, run_name
from sightline.tracking.mlflow import tags
from sightline.tracking.provenance import environment, git_state
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker
from sightline.training.batches import short_epoch
from sightline.training.logging.decisions import decisions
from sightline.training.logging.param_groups import describe_groups, group_rows
from sightline.training.logging.saved_views import save_task_views

if TYPE_CHECKING:
    from sightline.training.setup import Setup

log = logging.getLogger(__name__)


def start_run(tracker: Tracker, connection: SenderClient) -> None:
    """Start the MLflow run of a frozen training, or resume it; RUNNING from now on."""
    config, job = _launched(tracker)
    name = run_name(config, job)
    belongs_to = {tags.SWEEP: job.sweep, tags.REPRODUCES: job.reproduces}
    known = {key: value for key, value in belongs_to.items() if value is not None}
    frozen = tracker.folder.frozen
    key = {tags.RUN_KEY: frozen.run_key} if frozen and frozen.run_key else {}
    tracker.start(name, known | origin_tags(tracker.folder, job.command) | key)
    found = connection.wait_for_run()
    log.info("%s %s (%s)", "run:".ljust(8), name, found.run_id if found else "not in MLflow yet")


def log_description(tracker: Tracker, setup: "Setup", world_size: int) -> None:
    """Log everything that is known before the first step.

    Args:
        tracker: of the run.
        setup: of the training.
        world_size: number of processes that train together.
    """
    config, job = _launched(tracker)
    for key, value in facts(setup.config, setup).items():
        log.info("%s %s", f"{key}:".ljust(8), value)
    _log_data_and_model(tracker, config, job, setup, world_size)
    _log_provenance(tracker, config, job)


def _launched(tracker: Tracker) -> tuple[TrainConfig, Job]:
    frozen = tracker.folder.frozen
    assert frozen is not None
    return frozen.config, frozen.job


def facts(config: TrainConfig, setup: "Setup") -> dict[str, str]:
    """The data, labels and model of a run, in a line each, for the terminal and the note."""
    counts = {name: len(split) for name, split in setup.splits.items()}
    if setup.source.stream is not None:
        counts = {"train (in sequence)": setup.source.stream.samples} | counts
    whole = setup.source.drawn_from
    of = {} if whole is None else {"train": f" of {len(whole):,} (drawn by data.draw_seed)"}
    steps = short_epoch(config, setup.training_images)
    sizes = ", ".join(f"{name} {count:,}{of.get(name, '')}" for name, count in counts.items())
    module = setup.module
    spec = module.classifier.preprocess
    total = sum(parameter.numel() for parameter in module.parameters())
    learnt = sum(p.numel() for p in module.parameters() if p.requires_grad)
    frozen = "" if learnt == total else f" ({learnt:,} learn)"
    name = config.model.get("name") or config.model["_target_"].rsplit(".", 1)[-1]
    source = setup.source
    left_out = f"; left out: {source.left_out.describe()}" if source.left_out else ""
    seen = setup.sizes.describe(spec)
    notes = {"reading": "; ".join(source.notes)} if source.notes else {}
    loaded = module.classifier.loaded_weights
    learns = describe_fine_tuning(config)
    return {
        "data": f"{source.name} ({source.location}): {sizes}{left_out}" + (seen and f"; {seen}"),
        **notes,
        "labels": setup.label_mode.describe(),
        "model": f"{name}, {total:,} parameters{frozen}, input " + "×".join(map(str, spec.input)),
        "groups": describe_groups(config, module),
        **({"learns": learns} if learns else {}),
        **({"steps": steps} if steps else {}),
        "speed": setup.speed.describe(),
    } | ({} if loaded is None else {"weights": str(loaded)})


def _log_data_and_model(
    tracker: Tracker, config: TrainConfig, job: Job, setup: "Setup", world_size: int
) -> None:
    inputs, digests = dataset_inputs(setup.source, setup.splits, setup.contents, setup.label_mode)
    found = {f"data.digest.{split}": digest for split, digest in digests.items()}
    found["data.digest.split"] = split_digest(setup.splits)
    found |= _drawn(config, setup)
    found["data.classes"] = classes_param(setup.label_mode.class_names)
    logged = params(config, job) | found | decisions(config, setup, world_size)
    digest = group_digest(influences(config.model_dump(mode="json"), logged))
    group = group_name(config, job, digest)
    if job.reproduces is not None:  # the same run once more is no further seed of the group's
        group = f"reproduction: {group}"
    tracker.log_params(logged | {tags.GROUP: group})
    tracker.set_tags({tags.GROUP_DIGEST: digest})
    save_task_views(tracker, config, setup.label_mode, logged)
    tracker.log_datasets(inputs)
    images = setup.datamodule.cached_images.decoded
    decoded = {name: each for name, each in images.items() if each.sizes is None}  # as seen
    table = with_digests(split_table(setup.splits), setup.splits, setup.contents, decoded)
    pq.write_table(table, tracker.file("split/split.parquet"))
    tracker.log_artifact("split/split.parquet")
    tracker.log_text(to_csv(group_rows(config, setup.module), decimals=None), "param_groups.csv")
    if setup.skipped:
        rows = [asdict(each) for each in setup.skipped]
        tracker.log_data(to_csv(rows, decimals=None), "skipped.csv")
    if setup.source.left_out:
        tracker.log_data(to_csv(setup.source.left_out.rows(), decimals=None), "left_out.csv")


def _drawn(config: TrainConfig, setup: "Setup") -> dict[str, str]:
    """The number of training images where a part is asked for, and the digest of them all."""
    common, whole = config.data_common, setup.source.drawn_from
    if common.train_fraction is None and common.per_class is None:
        return {}
    found = {TRAIN_IMAGES: str(len(setup.splits["train"]))}
    if whole is not None:
        encoded = replace(whole, targets=setup.label_mode.encode(whole.targets))
        found[POOL] = encoded.digest(setup.contents["train"])
    return found


def classes_param(names: Sequence[str]) -> str:
    """How many classes there are, and the first digits of a digest of their names."""
    digest = hashlib.blake2b("\0".join(names).encode(), digest_size=4).hexdigest()
    return f"{len(names)} #{digest}"


def _log_provenance(tracker: Tracker, config: TrainConfig, job: Job) -> None:
    values = redacted(config.model_dump())
    resolved = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    tracker.log_data(resolved, "config/config.yaml")
    overrides = yaml.safe_dump(redacted(job.overrides), allow_unicode=True)
    tracker.log_data(overrides, "config/overrides.yaml")
    tracker.log_text(job.command + "\n", "provenance/command.txt")
    tracker.log_json(environment(), "provenance/environment.json")
    git = git_state()
    if git is not None:
        dirty = {tags.GIT_COMMIT: git.commit or "none", tags.GIT_DIRTY: git.dirty}
        tracker.set_tags({key: str(value) for key, value in dirty.items()})
        tracker.log_text(git.status, "provenance/git_status.txt")
        tracker.log_text(git.diff, "provenance/git.diff")
