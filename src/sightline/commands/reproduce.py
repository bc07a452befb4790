"""`sightline reproduce`: train a logged run again, and say what came out the same."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, NonNegativeFloat
from rich import get_console

from sightline.comparison.rendering import markdown_rows
from sightline.comparison.reproduction import differing, judge, metrics_table, summary
from sightline.config.options import Options, read_options
from sightline.config.schema import Job, TrainConfig, check
from sightline.errors import UserError
from sightline.io.secrets import with_credentials
from sightline.paths import cache_dir, project_root, stamp
from sightline.reports.parts import Table
from sightline.reports.terminal import to_rich
from sightline.runs.folder import RunFolder
from sightline.runs.resume import MAY_CHANGE
from sightline.tracking.description import GROUPS
from sightline.tracking.mlflow.queries import add_artifacts
from sightline.tracking.mlflow.stored_run import StoredRun, find_stored_run, read_from_journal
from sightline.tracking.provenance import environment, git_state
from sightline.training.job import run_job

USAGE = """\
usage: sightline reproduce run=RUN_ID [tolerance=0.005] [tracking.uri=URI] [KEY=VALUE ...]

Trains a finished run again from what it logged: config, seed and split. Says first what differs
now (commit, uncommitted changes, versions, hardware, data), then every metric side by side. The new
run has the tag `reproduces`. The exit status is 0 if all metrics are identical or within the
tolerance, 1 if one is different.

  run=RUN_ID        an MLflow run id, runs:/ID or a run's folder
  tolerance=0.005   largest difference of a metric that counts as the same result; of metrics beyond
                    ±1, in proportion to them
  tracking.uri=URI  of the MLflow store
  KEY=VALUE         what a machine needs and a result does not: {may_change}
"""


class ReproduceOptions(Options):
    """What `sightline reproduce` can be told."""

    run: str
    tolerance: NonNegativeFloat = 0.005
    uri: str | None = Field(None, alias="tracking.uri")


@dataclass(frozen=True)
class Origin:
    """What a run says of where it came from.

    Attributes:
        run: as stored.
        config: as it was trained.
        facts: commit, versions, hardware and data, by name.
    """

    run: StoredRun
    config: TrainConfig
    facts: dict[str, str]


def run(words: Sequence[str]) -> int:
    """Train again and compare; 1 where a metric is different.

    Raises:
        UserError: the run is not there, did not finish, or cannot be trained here.
    """
    usage = USAGE.format(may_change=", ".join(MAY_CHANGE))
    options, overrides = read_options(words, ReproduceOptions, usage, overrides=True)
    stored = find_stored_run(options.run, options.uri)
    stored.check_finished()
    config = _config_of(stored, overrides)
    origin = Origin(stored, config, _facts_then(stored))
    config, data = _with_its_split(origin)
    differences = differing(origin.facts, _facts_now() | data)
    console = get_console()
    if differences.rows:
        console.print(to_rich(differences))
    else:
        console.print("Nothing differs: commit, versions, hardware and data are what they were.\n")
    job = _job(stored, overrides, options)
    run_job(config, job)
    return conclude(stored, job.output_dir, differences, options.tolerance)


def conclude(stored: StoredRun, folder: Path, differences: Table, tolerance: float) -> int:
    """Say and keep what came out again; 1 where a metric is different, else 0.

    Args:
        stored: the run.
        folder: of its repetition.
        differences: around the two.
        tolerance: as `judge` takes it.
    """
    judged = judge(stored.metrics, read_from_journal(RunFolder(folder)).metrics, tolerance)
    table, verdict = metrics_table(judged), summary(judged)
    said = f"{verdict} (tolerance {tolerance:g})"
    console = get_console()
    console.print(to_rich(table))
    console.print(f"{stored.name} again: {said}", highlight=False)
    _keep(folder, f"# Reproduction of {stored.name}: {said}\n", [differences, table])
    return 1 if verdict == "different" else 0


def _config_of(stored: StoredRun, overrides: Sequence[str]) -> TrainConfig:
    """As it was trained, and with what this machine needs."""
    text = stored.file("config/config.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    uri = with_credentials(stored.uri or values["tracking"]["uri"])
    values["tracking"] |= {"uri": uri, "run_name": f"{stored.name} (again)"}
    # `auto` asks whether it is a job of a sweep, which the repetition is not.
    values["evaluate_test"] = any(name.startswith("test/") for name in stored.metrics)
    for word in overrides:
        key, _, value = word.partition("=")
        if not any(key == name or key.startswith(f"{name}.") for name in MAY_CHANGE):
            raise UserError(
                f"{word}: with another {key} it would be another training. What may change: "
                f"{', '.join(MAY_CHANGE)}."
            )
        *path, last = key.split(".")
        node = values
        for part in path:
            node = node.setdefault(part, {})
        node[last] = yaml.safe_load(value)
    try:
        return check(values)
    except UserError as error:
        raise UserError(
            f"The config of {stored.name!r} does not fit this version of Sightline: {error}"
        ) from error


def _with_its_split(origin: Origin) -> tuple[TrainConfig, dict[str, str]]:
    """The config, with the stored split where the data no longer splits so; digests of the data."""
    config = origin.config
    data = _data_facts(config)
    key = "data: split"
    if key not in origin.facts or data[key] == origin.facts[key]:
        return config, data
    stored = origin.run.file("split/split.parquet")
    kept = cache_dir() / "splits" / f"{origin.facts[key]}.parquet"  # for when it is resumed
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(stored.read_bytes())
    config = config.model_copy(update={"data": config.data | {"split_file": str(kept)}})
    get_console().print(
        "The data splits in another way now; the split that the run stored is used."
    )
    return config, _data_facts(config)


def _data_facts(config: TrainConfig) -> dict[str, str]:
    """Digests of the data as it is now."""
    from sightline.data.cache.digests import content_digests
    from sightline.data.splits.make import split_digest
    from sightline.training.setup import apply_label_mode, read_source

    _, splits = apply_label_mode(config, read_source(config))
    images = {id(split.images): split.images for split in splits.values()}
    contents = {key: content_digests(each) for key, each in images.items()}
    found = {name: split.digest(contents[id(split.images)]) for name, split in splits.items()}
    return {f"data: {key}": d for key, d in (found | {"split": split_digest(splits)}).items()}


def _facts_then(stored: StoredRun) -> dict[str, str]:
    about = json.loads(stored.file("provenance/environment.json").read_text(encoding="utf-8"))
    commit = stored.tags.get("mlflow.source.git.commit")
    diff = ""
    if commit is not None and stored.tags.get("git.dirty") == "True":
        diff = stored.file("provenance/git_status.txt").read_text(encoding="utf-8")
        diff += stored.file("provenance/git.diff").read_text(encoding="utf-8")
    prefix = "data.digest."
    data = {
        f"data: {key.removeprefix(prefix)}": value
        for key, value in stored.params.items()
        if key.startswith(prefix)
    }
    if stored.params.get("data.skipped", "0") != "0":
        data = {}  # what was left out is known only once all images are read
    return _described(commit, diff, about) | data


def _facts_now() -> dict[str, str]:
    git = git_state()
    commit = None if git is None else git.commit or "none"
    return _described(commit, "" if git is None else git.status + git.diff, environment())


def _described(commit: str | None, changes: str, about: Mapping[str, Any]) -> dict[str, str]:
    """Flat, in words; of uncommitted changes a digest tells whether they are the same."""
    digest = hashlib.blake2b(changes.encode(), digest_size=4).hexdigest()
    facts = {
        "commit": commit or "no git checkout",
        "uncommitted changes": f"yes ({digest})" if changes else "none",
    }
    for key in ("python", "os", "cpu", "cpu_cores", "torch_threads", "gpus", "cuda", "cudnn"):
        value = about.get(key)
        facts[key] = ", ".join(value) if isinstance(value, list) else str(value)
    return facts | {f"package {name}": version for name, version in about["packages"].items()}


def _job(stored: StoredRun, overrides: Sequence[str], options: ReproduceOptions) -> Job:
    said = yaml.safe_load(stored.file("config/overrides.yaml").read_text(encoding="utf-8")) or []
    command = ["sightline", "reproduce", f"run={options.run}", *overrides]
    return Job(
        output_dir=project_root() / "runs" / stamp(),
        choices={name: stored.params[name] for name in GROUPS if name in stored.params},
        overrides=[*said, *overrides],
        sweep=None,
        command=shlex.join(command),
        arguments=[*said, *overrides],
        reproduces=stored.run_id or str(stored.folder),
    )


def _keep(folder: Path, title: str, tables: Sequence[Table]) -> None:
    """In the new run's folder, and with its artifacts where it is in MLflow."""
    lines = [title]
    for table in tables:
        lines += [f"## {table.caption}", "", *markdown_rows(table), ""]
    report = folder / "reproduction"
    report.mkdir(exist_ok=True)
    (report / "reproduction.md").write_text("\n".join(lines), encoding="utf-8")
    again = find_stored_run(str(folder))
    if again.run_id is not None:
        add_artifacts(again, report, "reproduction")
    get_console().print(f"written to {report / 'reproduction.md'}", soft_wrap=True, highlight=False)
