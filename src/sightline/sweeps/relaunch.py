"""A grid launched before: its frozen jobs, and the jobs that a repeated command adds to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sightline.config.data_addresses import all_addresses
from sightline.config.job_words import downloads, with_allowed_download
from sightline.config.schema import TrackingConfig, TrainConfig
from sightline.config.stored import check_plugins, trusted_plugins
from sightline.data.known_addresses import check_addresses
from sightline.errors import UserError
from sightline.io.redaction import redacted
from sightline.runs.folder import RunFolder
from sightline.runs.hidden import with_hidden_values
from sightline.runs.resume import differences
from sightline.sweeps.sweep import TRANSPORT, SweepJob, another_sweep, job_digest


def resume_launch(
    folder: Path, stored: dict[str, Any], jobs: list[SweepJob], tracking: TrackingConfig
) -> tuple[list[SweepJob], list[SweepJob], list[str]]:
    """The jobs as they were launched before, those that this command adds, and notes.

    Args:
        folder: the sweep's.
        stored: the facts of its launch.
        jobs: of this command, composed by the configs as they are now.
        tracking: how they are logged now.

    Raises:
        UserError: the folder's sweep is another one, or lost a job's `run.json`.
    """
    plugins = trusted_plugins(name for each in jobs for name in each.config.plugins)
    now = [each.config for each in jobs]
    before = [
        _frozen_job(folder, entry["folder"], tracking, plugins, now) for entry in stored["jobs"]
    ]
    requested = [_compared_words(each.job.overrides) for each in jobs]
    launched = [_compared_words(each.job.overrides) for each in before]
    if requested == launched:
        return before, [], _note_edits(before, jobs)
    added = _added(folder, stored, jobs)
    notes = []
    if added:
        notes = [f"{len(added)} of {len(before) + len(added)} jobs are new to this sweep."]
    return before, added, notes


def _frozen_job(
    sweep: Path, name: str, tracking: TrackingConfig, plugins: list[str], known: list[TrainConfig]
) -> SweepJob:
    """A job as it was frozen, but logged as is requested now, with the secrets of this command."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(f"{sweep} names the job {name!r}, which is not in it; give another folder.")
    folder = RunFolder(sweep / name)
    frozen = folder.frozen
    if frozen is None:
        raise UserError(f"{folder} lost its run.json; give another hydra.sweep.dir.")
    check_plugins(frozen.config.plugins, plugins, folder)
    check_addresses(frozen.config.data, folder, all_addresses(each.data for each in known))
    now = tracking.model_dump(include=TRANSPORT)
    config = with_hidden_values(frozen.config, known)
    config = with_allowed_download(config, any(map(downloads, known)))
    logged = config.model_copy(update={"tracking": config.tracking.model_copy(update=now)})
    return SweepJob(logged, frozen.job, folder)


def _compared_words(overrides: Sequence[str]) -> list[str]:
    """A job's overrides without those that only say how it is logged or how the sweep runs."""
    return sorted(
        word
        for word in redacted(overrides)
        if not word.startswith("sweep.")
        and word.partition("=")[0] not in {f"tracking.{key}" for key in TRANSPORT}
    )


def _added(folder: Path, stored: dict[str, Any], jobs: list[SweepJob]) -> list[SweepJob]:
    """The jobs that the launched sweep does not have; it may not have any that is not in `jobs`."""
    digests = {job_digest(each.config) for each in jobs}
    requested = [_compared_words(each.job.overrides) for each in jobs]
    launched = {entry["digest"]: _compared_words(entry["overrides"]) for entry in stored["jobs"]}
    lacking = [words for digest, words in launched.items() if digest not in digests]
    edited = [words for words in lacking if words in requested]
    if edited:
        raise another_sweep(
            folder, stored, f"the configs were edited since, so that {' '.join(edited[0])} is not "
            "the job that it was, and it cannot be widened",
        )  # fmt: skip
    if lacking:
        count = len(lacking)
        raise another_sweep(
            folder, stored,
            f"{count} of its {len(launched)} jobs {'are' if count > 1 else 'is'} not in this one, "
            f"such as {' '.join(lacking[0]) or 'the one without overrides'}",
        )  # fmt: skip
    return [each for each in jobs if job_digest(each.config) not in launched]


def _note_edits(launched: list[SweepJob], now: list[SweepJob]) -> list[str]:
    """A note of the values that the YAML files would give now, and that the sweep ignores."""
    pairs: list[tuple[TrainConfig, TrainConfig]] = [
        (before.config, after.config) for before, after in zip(launched, now, strict=True)
    ]
    edited = {
        key: f"{key} ({old!r} then, {new!r} now)"
        for before, after in pairs
        for key, old, new in differences(before, after, may_change=("sweep", "tracking"))
    }
    if not edited:
        return []
    return [
        f"The configs changed since this sweep was launched: {', '.join(edited.values())}. It "
        "resumes as it was launched; for the new values give another hydra.sweep.dir."
    ]
