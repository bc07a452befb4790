"""Export of a run's model, checked on the images that the run was trained and tested on."""

import logging
from pathlib import Path

from sightline.config.compose import compose_job
from sightline.data.from_config import apply_label_mode, read_source
from sightline.data.known_addresses import check_addresses
from sightline.data.source_data import Split
from sightline.errors import UserError
from sightline.evaluation.overrides import UNCHANGED, overridden_config
from sightline.inference.export_checks import checks_of_input, checks_of_splits, print_checks
from sightline.inference.load import load_checkpoint, read_checkpoint
from sightline.inference.model_export import FORMATS, export_model
from sightline.inference.table_files import check_output
from sightline.io.console import log_to_console
from sightline.tracking.mlflow.stored_run import find_checkpoint_file

log = logging.getLogger(__name__)


def export_run(
    run: str, uri: str | None, kind: str, output: Path, overwrite: bool, input_path: str | None,
    int8: str | None, plugins: tuple[str, ...],
) -> None:  # fmt: skip
    """Write a run's model as a file that other programs run.

    Args:
        run: run id, runs:/ID, a run's folder or a checkpoint file.
        uri: of the tracking store; None for the default.
        kind: a key of `FORMATS`.
        output: the file.
        overwrite: whether it may exist.
        input_path: images to check it on; None for the run's own.
        int8: dynamic, static or None.
        plugins: packages that may build the model.

    Raises:
        UserError: the run or the output cannot be used, or the file answers unlike the model.
    """
    check_output(output, FORMATS[kind].endings, overwrite)
    with log_to_console():
        checkpoint, _ = find_checkpoint_file(run, uri)
        model = load_checkpoint(checkpoint, plugins)
        if input_path is not None and int8 is None:
            checks = checks_of_input(model, input_path)
            ranges = checks.images
        else:
            checks, ranges = checks_of_splits(model, own_splits(checkpoint, plugins), bool(int8))
        print_checks(export_model(model, kind, output, checks, int8, ranges), checks)
        log.info("written: %s", output)


def own_splits(checkpoint: Path, plugins: tuple[str, ...]) -> dict[str, Split] | None:
    """The run's data as its config names it, with encoded targets; None where it is gone."""
    stored = read_checkpoint(checkpoint)["sightline"].config
    now, _ = compose_job([])  # for the tracking config, which a checkpoint does not hold
    config = overridden_config(stored, now, plugins, UNCHANGED)
    try:
        check_addresses(config.data, checkpoint)
        return apply_label_mode(config, read_source(config))[1]
    except (UserError, OSError) as error:
        log.info("own images: %s", error)
        return None
