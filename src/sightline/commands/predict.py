"""`sightline predict`: the predictions of a trained model for images, as a table."""

from pydantic import Field, NonNegativeInt

from sightline.config.command import Command
from sightline.inference.table_options import TableOptions


class PredictOptions(TableOptions):
    """Options of `sightline predict`."""

    calibrated: bool = Field(
        True,
        description="with the run's calibration and by its decision rule; false: the probabilities "
        "as training's evaluation stored them, by the default rule",
    )
    top_k: NonNegativeInt = Field(
        0, description="name the N most probable classes too: top_1, prob_top_1, ..."
    )


def run(options: PredictOptions) -> int:
    """Write the predictions.

    Raises:
        UserError: the run, the input or the output cannot be used; no file is left behind.
    """
    from sightline.inference.inputs import check_input

    check_input(options.input, options.root)
    from sightline.inference.prediction_table import write_predictions

    write_predictions(options, options.calibrated, options.top_k)
    return 0


COMMAND = Command(
    help="write a model's predictions for images into a table",
    section="trained models",
    about="""\
Writes a row for each image: path, id (as in the run's stored tables), pred (the class, or the
list of labels), prob_CLASS for each class, and error, where an image cannot be used. Where the run
fitted a certainty (tuning.risk), abstain says which answers it withholds: whether the class, or
which labels. Where it fitted sets (tuning.coverage), set names the classes that are not excluded,
or the labels that may be present, and unsure those of them that may be absent too. The output is a
.csv, .jsonl, .ndjson, .parquet or .pq file. After an interruption the same command resumes from
FILE.partial.""",
    examples={
        "sightline predict run=RUN input=photos output=predictions.csv": "",
        "sightline predict run=RUN input='photos/*.jpg' output=top.parquet top_k=3": "",
    },
    options=PredictOptions,
    run=run,
)
