"""An import, top-down: the table, the data, the metrics, the run."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from rich import get_console

from sightline.config.compose import compose_job
from sightline.config.schema import Job, TrainConfig
from sightline.errors import UserError, did_you_mean
from sightline.importing.foreign_table import ForeignTable, read_foreign
from sightline.importing.score_columns import find_scores
from sightline.importing.score_forms import Scores
from sightline.importing.settings import ImportSettings
from sightline.io.console import log_to_console
from sightline.training.early_checks import check_early

log = logging.getLogger(__name__)

PARTS = ("data", "label_mode", "tracking", "plugins")  # of a config, that an import takes
FOLDER = "hydra.run.dir"  # of the run


def import_predictions(
    settings: ImportSettings, overrides: Sequence[str], known: Sequence[str], command: str
) -> None:
    """Make a run of a table of predictions.

    Args:
        settings: of the import.
        overrides: of the config: data, label mode and tracking.
        known: the command's own options, for messages.
        command: as it was typed.

    Raises:
        UserError: the table or the data cannot be used, or do not fit; nothing is logged then.
    """
    check_overrides(overrides, known)
    with log_to_console():
        table = read_foreign(settings)
        scores = find_scores(table, settings.classes)
        config, job = compose_job(list(overrides))
        check_early(config)
        job = replace(job, command=command, arguments=[])
        _import(table, scores, config, job, settings)


def check_overrides(words: Sequence[str], known: Sequence[str]) -> None:
    """Refuse overrides of what an import does not have, and one without data.

    Raises:
        UserError: names the first one.
    """
    keys = [word.lstrip("+~").partition("=")[0] for word in words]
    for word, key in zip(words, keys, strict=True):
        if key != FOLDER and key.partition(".")[0] not in PARTS:
            raise UserError(
                f"Unknown option {key!r}.{did_you_mean(key, known)} An import takes "
                f"{', '.join(known)}, {FOLDER}, and overrides of {', '.join(PARTS)} ({word!r} is "
                "none)."
            )
    if "data" not in keys:
        raise UserError(
            "Which data was predicted? Give it as for `sightline train`: data=SOURCE, such as "
            "data=folder data.root=FOLDER."
        )


def _import(
    table: ForeignTable, scores: Scores, config: TrainConfig, job: Job, settings: ImportSettings
) -> None:
    """The part that needs PyTorch and MLflow."""
    from sightline.evaluation.announce import announce_place
    from sightline.evaluation.destination import new_run
    from sightline.importing.imported import import_table
    from sightline.importing.logging import facts, log_import
    from sightline.metrics.evaluation import evaluate_table
    from sightline.metrics.tuning import Tuning
    from sightline.reports.formatted_metrics import format_metrics, metrics_table
    from sightline.runs.folder import RunFolder
    from sightline.tracking.mlflow.tags import KIND, KIND_IMPORT
    from sightline.training.logging.report import check_sections

    check_sections(config.report, config.plugins)
    found = import_table(table, scores, config, settings)
    for key, value in facts(found, settings).items():
        log.info("%s %s", f"{key}:".ljust(9), value)
    evaluations = {
        split: evaluate_table(found.mode, each, Tuning(), plugins=config.plugins)
        for split, each in found.tables.items()
    }
    folder = RunFolder(job.output_dir)
    if folder.is_launched:
        raise UserError(f"{folder} holds a run already; give another folder ({FOLDER}=...).")
    purpose = {KIND: KIND_IMPORT}
    with new_run(purpose, settings.name, folder, job.command, config.tracking) as (tracker, client):
        folder.freeze(config, job)
        reached = log_import(tracker, config, job, found, settings, evaluations)
    get_console().print(metrics_table(format_metrics(reached)))
    announce_place(client, tracker)
