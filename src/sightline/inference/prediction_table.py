"""The table of a model's predictions for images."""

import logging
from pathlib import Path

from sightline.inference.device import choose_device
from sightline.inference.inputs import read_inputs
from sightline.inference.load import load_checkpoint
from sightline.inference.ranked_predictions import Choice, RankedTable, check_sheet
from sightline.inference.result_rows import schema_of
from sightline.inference.resumable_table import make_table
from sightline.inference.table_files import TABLES, check_output
from sightline.inference.table_options import TableOptions
from sightline.io.console import log_to_console
from sightline.io.digests import file_digest
from sightline.label_modes.base import LabelMode
from sightline.metrics.tuned_table import calibration_words, rule_words
from sightline.metrics.tuning import Tuning
from sightline.tracking.mlflow.stored_run import find_checkpoint_file

log = logging.getLogger(__name__)


def write_predictions(
    options: TableOptions, calibrated: bool, top_k: int, choice: Choice | None = None
) -> None:
    """Predict the images of the input and write a row for each, or for those to label next.

    Args:
        options: model, input and output.
        calibrated: with the run's calibration and by its decision rule.
        top_k: the number of most probable classes that have columns of their own.
        choice: which images are written; None: all.

    Raises:
        UserError: the run, the input or the output cannot be used; no file is left behind.
    """
    check_output(Path(options.output), TABLES, options.overwrite)
    if choice is not None:
        check_sheet(Path(options.output), options.overwrite)
    device = choose_device(options.device)
    with log_to_console():
        checkpoint, _ = find_checkpoint_file(options.run, options.uri)
        model = load_checkpoint(checkpoint, options.plugins).with_batch_size(options.batch_size)
        inputs = read_inputs(
            options.input, options.root, options.image_column, options.image_suffix
        )
        decisions = model.to(device).decisions(calibrated, top_k)
        made_of = {
            "model": file_digest(checkpoint),
            "input": inputs.fingerprint,
            "calibrated": str(calibrated).lower(),
            "label_mode": model.label_mode.name,
            "temperature": str(decisions.tuning.temperature),
            "biases": str(decisions.tuning.biases),
            "thresholds": str(decisions.tuning.thresholds),
            "decision_rule": rule_words(model.label_mode, decisions.tuning),
        }
        _log_rule(model.label_mode, decisions.tuning)
        if choice is None:
            make_table(
                options, schema_of(decisions.schema), made_of, len(inputs),
                lambda start: model.predict_rows(inputs, decisions, start, options.num_workers),
            )  # fmt: skip
            return
        ranked = RankedTable(choice, model, inputs, decisions)
        make_table(
            options, schema_of(ranked.results), made_of, len(inputs),
            lambda start: ranked.rows(start, options.num_workers), ranked.write, chosen=True,
        )  # fmt: skip


def _log_rule(mode: LabelMode, tuning: Tuning) -> None:
    log.info("decision rule: %s", rule_words(mode, tuning))
    log.info("calibration:   %s", calibration_words(tuning))
    for name, words in tuning.withheld_words(mode.multi_label).items():
        log.info("%-14s %s", f"{name}:", words)
