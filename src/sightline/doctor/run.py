"""All checks of config, data, model, store and machine, top-down, in one report."""

import json
import logging
from pathlib import Path

from sightline.config.compose import compose_job
from sightline.config.schema import Job, TrainConfig
from sightline.data.cache.digests import contents_of_splits
from sightline.data.checks import check_columns
from sightline.data.from_config import apply_label_mode, read_source
from sightline.data.pixels import choose_pixels
from sightline.data.source_data import SourceData, Split, once_per_images
from sightline.doctor.findings import Level, Report
from sightline.doctor.images import ImageFacts, check_images, inspect_images
from sightline.doctor.logged import warnings_as_findings
from sightline.doctor.machine import check_folder, check_machine, check_step
from sightline.doctor.model import check_view, check_weights
from sightline.doctor.near_duplicates import check_near_duplicates
from sightline.io.redaction import redacted
from sightline.io.secrets import hide_password
from sightline.label_modes.base import LabelMode
from sightline.reports.figures.class_balance import draw_balance
from sightline.reports.figures.image_grid import MAX_IMAGES, draw_samples
from sightline.tracking.mlflow.environment import set_request_environment
from sightline.tracking.mlflow.store import open_store
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import Setup, set_up
from sightline.types import PixelSpec


def run_doctor(overrides: list[str], folder: Path) -> bool:
    """Check everything and write the report; whether there is no error.

    Args:
        overrides: of a training's config.
        folder: for report.json and the figures.

    Raises:
        UserError: the overrides do not compose.
    """
    quiet_libraries()
    config, job = compose_job(overrides)
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    report.add("config", "ok", "it composes, and every value has the expected type")
    check_machine(report, config)
    report.attempt("tracking", lambda: _check_store(report, config))
    setup = check_data_and_model(report, config, job, folder)
    check_folder(report, job.output_dir, setup)
    report.print()
    path = folder / "report.json"
    path.write_text(json.dumps(redacted(report.to_dict()), indent=2, ensure_ascii=False) + "\n")
    counts = report.to_dict()
    print(
        f"\n{counts['errors']} errors, {counts['warnings']} warnings; {path} and figures beside it."
    )
    return not report.failed


def _check_store(report: Report, config: TrainConfig) -> None:
    set_request_environment()
    store = open_store(config.tracking)
    report.add("tracking", "ok", f"{hide_password(store.uri)} answers")


def check_data_and_model(
    report: Report, config: TrainConfig, job: Job, folder: Path
) -> Setup | None:
    """Check data, labels, images and model, and one step; the setup where there is one.

    Args:
        report: gets the findings.
        config: of the training.
        job: of the training.
        folder: for the figures.
    """
    # Unreadable images are a finding of their own, and must not stop the checks that follow.
    lenient = config.model_copy(
        update={"data": config.data | {"on_error": "skip", "max_skipped_fraction": 1.0}}
    )
    with warnings_as_findings(report):
        source = report.attempt("data", lambda: read_source(lenient, job.overrides))
        if source is None:
            return None
        labelled = report.attempt("labels", lambda: apply_label_mode(lenient, source))
    if labelled is None:
        return None
    label_mode, splits = labelled
    sizes = ", ".join(f"{name} {len(split):,}" for name, split in splits.items())
    report.add("data", "ok", f"{source.name} ({source.location}): {sizes}")
    for note in source.notes:
        report.add("reading", "warning", note)
    if source.left_out:
        report.add("left out", "warning", source.left_out.describe(), source.left_out.rows())
    pixels = report.attempt("reading", lambda: _check_reading(report, source, lenient))
    if pixels is None:
        return None
    report.add("labels", "ok", label_mode.describe())
    counts = {name: label_mode.count(split.targets) for name, split in splits.items()}
    draw_balance(counts).savefig(folder / "class_balance.png", dpi=120)
    facts = _check_splits(report, splits, label_mode, pixels)
    setup = report.attempt("model", lambda: _set_up_quietly(lenient))
    if setup is None:
        return None
    _report_model(report, setup)
    check_weights(report, config, setup.module.classifier)
    check_view(report, splits, facts, setup.module.classifier)
    batch = report.attempt("step", lambda: check_step(report, lenient, setup))
    if batch is not None:
        captions = [label_mode.examples(target) for target in batch["target"][:MAX_IMAGES]]
        figure = draw_samples(batch["image"][:MAX_IMAGES], captions, "training images")
        figure.savefig(folder / "samples.png", dpi=120)
    return setup


def _report_model(report: Report, setup: Setup) -> None:
    total = sum(parameter.numel() for parameter in setup.module.parameters())
    spec = setup.module.classifier.preprocess
    size = "×".join(map(str, spec.input))
    report.add("model", "ok", f"{total:,} parameters, input {size}")


def _check_reading(report: Report, source: SourceData, config: TrainConfig) -> PixelSpec:
    read, pixels = choose_pixels(source, config.data_common)
    for note in read.notes[len(source.notes) :]:
        report.add("reading", "ok", note)
    return pixels


def _set_up_quietly(config: TrainConfig) -> Setup:
    """The setup of a training, without its log lines; its batches hold images, never features."""
    node = {key: False if key == "cache_features" else v for key, v in config.model.items()}
    logging.disable(logging.WARNING)
    try:
        return set_up(config.model_copy(update={"model": node}))
    finally:
        logging.disable(logging.NOTSET)


def _check_splits(
    report: Report, splits: dict[str, Split], label_mode: LabelMode, pixels: PixelSpec
) -> dict[str, list[ImageFacts]]:
    """Check images and columns; the facts of each split's images, by the split's name."""
    title = "inspecting images"
    facts = once_per_images(splits, lambda _, images: inspect_images(images, pixels, title))
    check_images(report, splits, facts)
    contents = contents_of_splits(splits)
    problems = list(check_columns(splits, contents, label_mode))
    for problem in problems:
        level: Level = "error" if problem.serious else "warning"
        report.add(problem.check, level, problem.message, problem.details)
    for check in ("classes", "duplicates"):
        if not any(problem.check == check for problem in problems):
            report.add(check, "ok", "none missing or rare" if check == "classes" else "none")
    check_near_duplicates(report, splits, facts, contents)
    return facts
