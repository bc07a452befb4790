"""`sightline predict`: what a trained model says of images, in a table."""

import logging
from pathlib import Path

from pydantic import NonNegativeInt

from sightline.config.options import read_options
from sightline.inference.device import choose_device
from sightline.inference.inputs import read_inputs
from sightline.inference.load import load_checkpoint
from sightline.inference.rows import schema_of
from sightline.inference.table import OPTIONS, TableOptions, file_digest, make_table
from sightline.inference.table_files import TABLES, check_output
from sightline.io.console import log_to_console
from sightline.tracking.mlflow.stored_run import find_checkpoint_file

log = logging.getLogger(__name__)

USAGE = f"""\
usage: sightline predict run=RUN input=PATH output=FILE [KEY=VALUE ...]

Writes a row for each image: path, id (as in the run's stored tables), pred (the class, or the
list of labels), prob_CLASS for each class, and error, where an image cannot be used. A command
that was interrupted goes on from FILE.partial when it is given again.

{OPTIONS}\
  calibrated=   true: with the temperature and thresholds that the run fitted on val, if it did;
                false: the probabilities as training's evaluation stored them
  top_k=        name the K most probable classes too: top_1, prob_top_1, ...

output: {", ".join(TABLES)}
"""


class PredictOptions(TableOptions):
    """Of `sightline predict`."""

    calibrated: bool = True
    top_k: NonNegativeInt = 0


def predict(words: list[str]) -> int:
    """Predict what the words of the command name.

    Raises:
        UserError: the run, the input or the output cannot be used; nothing is left behind.
    """
    options, _ = read_options(words, PredictOptions, USAGE)
    check_output(Path(options.output), TABLES, options.overwrite)
    device = choose_device(options.device)
    with log_to_console():
        checkpoint, _ = find_checkpoint_file(options.run, options.uri)
        model = load_checkpoint(checkpoint, options.plugins).with_batch_size(options.batch_size)
        inputs = read_inputs(
            options.input, options.root, options.image_column, options.image_suffix
        )
        answers = model.to(device).answers(options.calibrated, options.top_k)
        made_of = {
            "model": file_digest(checkpoint),
            "input": inputs.fingerprint,
            "calibrated": str(options.calibrated).lower(),
            "label_mode": model.label_mode.name,
            "temperature": str(answers.tuning.temperature),
            "thresholds": str(answers.tuning.thresholds),
        }
        make_table(
            options, schema_of(answers.schema), made_of, len(inputs),
            lambda start: model.predict_rows(inputs, answers, start, options.num_workers),
        )  # fmt: skip
    return 0
