"""A probing, top-down: the backbones, the data, the features, the probes, a run of each."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich import get_console

from sightline.config.schema import Job, TrainConfig
from sightline.errors import UserError, counted
from sightline.evaluation.announce import announce_place
from sightline.evaluation.destination import new_run
from sightline.io.console import log_to_console
from sightline.probing.backbone import build_backbone
from sightline.probing.board import Row, board_table, log_board, rows_in
from sightline.probing.data import ProbeData, read_data
from sightline.probing.extraction import extract
from sightline.probing.few_shot import feasible_shots
from sightline.probing.fitting import fit_probes, sweep_of
from sightline.probing.settings import ProbeSettings
from sightline.runs.folder import RunFolder
from sightline.tracking.mlflow import tags
from sightline.training.devices import check_devices
from sightline.training.logging.report import check_sections
from sightline.training.speed import choose_speed

log = logging.getLogger(__name__)


def run_probes(
    backbones: Sequence[tuple[TrainConfig, Job]], settings: ProbeSettings, command: str
) -> None:
    """Probe backbones on one data set, and log each probe as a run.

    What is finished is not fitted again.

    Args:
        backbones: config and job of each.
        settings: of the probes.
        command: as it was typed.

    Raises:
        UserError: the data cannot be used, or some backbones could not be probed; the others are.
    """
    first = backbones[0][0]
    check_devices(first.trainer)
    check_sections(first.report, first.plugins)
    with log_to_console():
        data = read_data(first)
        shots = feasible_shots(data.mode, data.splits["train"].targets, settings.shots)
        wanted = first.evaluate_test
        with_test = len(backbones) == 1 if wanted == "auto" else wanted
        kept = settings.checkpoints
        kept = len(backbones) == 1 if kept is None else kept
        settings = replace(settings, shots=shots, with_test=with_test, checkpoints=kept)
        rows: list[Row] = []
        failures: list[str] = []
        for number, (config, job) in enumerate(backbones, start=1):
            name = str(config.model.get("name") or job.choices["model"])
            if len(backbones) > 1:
                log.info("backbone %d of %d: %s", number, len(backbones), name)
            try:
                rows += _probe(config, replace(job, command=command), data, settings)
            except UserError as error:
                if len(backbones) == 1:
                    raise
                log.error("%s: %s", name, error)
                failures.append(f"  {name}: {error}")
        if rows:
            _publish(rows, _folder(backbones[0][1], data), first, command)
        if failures:
            raise UserError(
                f"{counted(len(failures), 'backbone')} of {len(backbones)} could not be probed:\n"
                + "\n".join(failures)
            )


def _probe(config: TrainConfig, job: Job, data: ProbeData, settings: ProbeSettings) -> list[Row]:
    """All probes of one backbone."""
    speed = choose_speed(config)
    speed.set_tf32()
    backbone = build_backbone(config, data.info, data.mode, speed)
    names = ("train", "val", "test") if settings.with_test else ("train", "val")
    features = extract(backbone, data, settings.poolings, names)
    job = replace(job, output_dir=_folder(job, data))
    return [
        row
        for pooling, found in features.items()
        for row in fit_probes(backbone, data, found, pooling, job, settings)
    ]


def _publish(rows: Sequence[Row], folder: Path, config: TrainConfig, command: str) -> None:
    """Print the rows; log those of all probes in the folder to a run that stands for these."""
    get_console().print(board_table(rows))
    name = sweep_of(folder)
    purpose = {tags.KIND: tags.KIND_SWEEP, tags.SWEEP_NAME: name}
    with new_run(purpose, name, RunFolder(folder), command, config.tracking) as (tracker, client):
        log_board(tracker, rows_in(folder, rows[0]))
    announce_place(client, tracker)


def _folder(job: Job, data: ProbeData) -> Path:
    digest = data.splits["train"].digest(data.contents["train"])[:8]
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in data.source.name)[:60]
    return job.output_dir / f"{name}-{digest}"
