"""Training a logged run again from its stored config, and comparing the metrics of the two."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich import get_console

from sightline.comparison.rendering import markdown_rows
from sightline.comparison.reproduction import differing, judge, metrics_table, summary
from sightline.config.augment_form import with_form
from sightline.config.checks import check
from sightline.config.components import check_components
from sightline.config.data_addresses import addresses_in
from sightline.config.influence import FORM
from sightline.config.open_batch import as_decided
from sightline.config.schema import Job, TrainConfig
from sightline.config.stored import (
    check_plugins,
    stored_config,
    trusted_plugins,
    without_download,
)
from sightline.data.known_addresses import check_addresses
from sightline.errors import DamagedError, UserError, first_line
from sightline.io.collection import imports_kept
from sightline.io.stored_address import stored_address
from sightline.paths import cache_dir, project_root, stamp
from sightline.reports.parts import Table
from sightline.reports.terminal import to_rich
from sightline.runs.changeable import MAY_CHANGE
from sightline.runs.folder import RunFolder
from sightline.runs.imported import check_is_training
from sightline.tracking.description import GROUPS
from sightline.tracking.mlflow.queries import add_artifacts
from sightline.tracking.mlflow.stored_run import StoredRun, find_stored_run, read_from_journal
from sightline.training.job import run_job
from sightline.training.rerun_facts import current_facts, data_facts, stored_facts


def rerun(
    run: str, uri: str | None, overrides: Sequence[str], tolerance: float, plugins: Sequence[str]
) -> int:
    """Train a run again and compare; 1 where a metric is different, else 0.

    Args:
        run: run id, runs:/ID or the run's folder.
        uri: of the tracking store; None for the default.
        overrides: KEY=VALUE words for keys of `MAY_CHANGE`.
        tolerance: as `judge` takes it.
        plugins: packages that the run's config may name.

    Raises:
        UserError: the run is not there, did not finish, or cannot be trained here.
    """
    stored = find_stored_run(run, uri)
    check_is_training(stored.name, stored.tags)
    stored.check_finished()
    config = _config_of(stored, uri, overrides)
    check_plugins(config.plugins, trusted_plugins(plugins), f"The run {stored.name!r}")
    check_components(config)
    facts = stored_facts(stored)
    config, data = _with_stored_split(stored, config, facts)
    differences = differing(facts, current_facts() | data)
    console = get_console()
    if differences.rows:
        console.print(to_rich(differences))
    else:
        console.print("Nothing differs: commit, versions, hardware and data are what they were.\n")
    job = _job(stored, overrides, ["sightline", "reproduce", f"run={run}", *overrides])
    run_job(config, job, importing=imports_kept)
    return conclude(stored, job.output_dir, differences, tolerance)


def conclude(stored: StoredRun, folder: Path, differences: Table, tolerance: float) -> int:
    """Print and store how the metrics compare; 1 where one is different, else 0.

    Args:
        stored: the run.
        folder: the folder of the run that repeats it.
        differences: of commit, versions, hardware and data between the two.
        tolerance: as `judge` takes it.
    """
    judged = judge(stored.metrics, read_from_journal(RunFolder(folder)).metrics, tolerance)
    table, verdict = metrics_table(judged), summary(judged)
    result = f"{verdict} (tolerance {tolerance:g})"
    console = get_console()
    console.print(to_rich(table))
    console.print(f"{stored.name} again: {result}", highlight=False)
    _store(folder, f"# Reproduction of {stored.name}: {result}\n", [differences, table])
    return 1 if verdict == "different" else 0


def _config_of(stored: StoredRun, uri: str | None, overrides: Sequence[str]) -> TrainConfig:
    """The config of the run, with the store and the overrides that this machine needs."""
    stored_values = _read_yaml(stored.file("config/config.yaml"), dict)
    origin = f"The run {stored.name!r}"
    values = without_download(stored_config(stored_values, origin))
    if isinstance(values.get("data"), dict):
        check_addresses(values["data"], origin, addresses_in(overrides))
    uri = uri or stored.uri or stored_address(values["tracking"]["uri"], origin)
    values["tracking"] |= {"uri": uri, "run_name": f"{stored.name} (again)"}
    # `auto` means "not in a job of a sweep", and the repetition is no job of a sweep.
    values["evaluate_test"] = any(name.startswith("test/") for name in stored.metrics)
    for word in overrides:
        key, _, value = word.partition("=")
        if _is_stored(values, key, value):  # as a word is that allows an address
            continue
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
    # Runs of before decided it by their cache, and logged it.
    values["augment"].setdefault("form", stored.params.get(FORM, "auto"))
    try:
        return as_decided(with_form(check(values), ()), stored.params)
    except UserError as error:
        raise UserError(
            f"The config of {stored.name!r} does not fit this version of Sightline: {error}"
        ) from error


def _is_stored(values: dict[str, Any], key: str, value: str) -> bool:
    """Whether a word says what the config has."""
    *path, last = key.split(".")
    node: Any = values
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return isinstance(node, dict) and last in node and bool(node[last] == yaml.safe_load(value))


def _read_yaml(path: Path, kind: type) -> Any:
    """What a run stored as YAML: a mapping that has its parts, or a list. No tag builds an object.

    Raises:
        DamagedError: it is something else.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise DamagedError(path, f"it is not plain YAML: {first_line(error)}") from error
    complete = kind is list or (isinstance(found, dict) and isinstance(found.get("tracking"), dict))
    if not isinstance(found, kind) or not complete:
        raise DamagedError(path, f"it holds no {'list' if kind is list else 'config'}")
    return found


def _with_stored_split(
    stored: StoredRun, config: TrainConfig, facts: dict[str, str]
) -> tuple[TrainConfig, dict[str, str]]:
    """The config, with the stored split where the data is split differently now; data digests."""
    data = data_facts(config)
    key = "data: split"
    if key not in facts or data[key] == facts[key]:
        return config, data
    file = stored.file("split/split.parquet")
    copy = cache_dir() / "splits" / f"{facts[key]}.parquet"  # a resumed run reads it again
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(file.read_bytes())
    config = config.model_copy(update={"data": config.data | {"split_file": str(copy)}})
    get_console().print("The split of the data has changed; the split that the run stored is used.")
    return config, data_facts(config)


def _job(stored: StoredRun, overrides: Sequence[str], command: Sequence[str]) -> Job:
    given = [str(word) for word in _read_yaml(stored.file("config/overrides.yaml"), list)]
    return Job(
        output_dir=project_root() / "runs" / stamp(),
        choices={name: stored.params[name] for name in GROUPS if name in stored.params},
        overrides=[*given, *overrides],
        sweep=None,
        command=shlex.join(command),
        arguments=[*given, *overrides],
        reproduces=stored.run_id or str(stored.folder),
    )


def _store(folder: Path, title: str, tables: Sequence[Table]) -> None:
    """Write the report into the new run's folder, and upload it where the run is in MLflow."""
    lines = [title]
    for table in tables:
        lines += [f"## {table.caption}", "", *markdown_rows(table), ""]
    report = folder / "reproduction"
    report.mkdir(exist_ok=True)
    (report / "reproduction.md").write_text("\n".join(lines), encoding="utf-8")
    repeated = find_stored_run(str(folder))
    if repeated.run_id is not None:
        add_artifacts(repeated, report, "reproduction")
    get_console().print(f"written to {report / 'reproduction.md'}", soft_wrap=True, highlight=False)
