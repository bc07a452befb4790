"""`sightline predict`: the predictions of a trained model for images, as a table."""

from sightline.config.command import Command
from sightline.inference.predict_options import PredictOptions, check_rank
from sightline.io.collection import imports_kept


def run(options: PredictOptions) -> int:
    """Write the predictions.

    Raises:
        UserError: the run, the input or the output cannot be used; no file is left behind.
    """
    from sightline.inference.inputs import check_input

    check_rank(options)
    check_input(options.input, options.root)
    if options.labelled is not None:
        check_input(options.labelled, None)
    with imports_kept():
        from sightline.inference.prediction_table import write_predictions
        from sightline.inference.ranked_predictions import Choice
    choice = None
    if options.rank is not None and options.budget is not None:
        choice = Choice(options.rank, options.budget, options.labelled)
    write_predictions(options, options.calibrated, options.top_k, choice)
    return 0


COMMAND = Command(
    help="write a model's predictions for images into a table",
    section="trained models",
    about="""\
Writes a row for each image: path, id (as in the run's stored tables), pred (the class, or the
list of labels), prob_CLASS for each class, and error, where an image cannot be used. Where the run
fitted a certainty (tuning.risk), abstain says which answers it withholds: whether the class, or
which labels. Where it fitted a score of unknown images (tuning.ood), ood_score holds it, and over
its threshold every answer is withheld. Where it fitted sets (tuning.coverage), set names the
classes that are not excluded, or the labels that may be present, and unsure those of them that may
be absent too. The output is a .csv, .jsonl, .ndjson, .parquet or .pq file. After an interruption
the same command resumes from FILE.partial.

With rank and budget it writes only the images to label next, the first one first, with columns rank
and score, and FILE.png shows them. uncertainty: the greatest entropy of the probabilities (of
several labels the sum); margin: the least distance of a decision to another; diversity: the image
nearest to the center of each of BUDGET clusters (k-means of the features), the largest cluster
first; coreset: each time the image farthest, by its features, from those that are chosen or
labelled (k-center greedy). Equal scores keep the order of the input.""",
    examples={
        "sightline predict run=RUN input=photos output=next.csv rank=uncertainty budget=200": "",
        "sightline predict run=RUN input=photos output=predictions.csv": "",
        "sightline predict run=RUN input='photos/*.jpg' output=top.parquet top_k=3": "",
    },
    options=PredictOptions,
    run=run,
)
