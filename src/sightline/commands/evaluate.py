"""`sightline evaluate`: a trained model evaluated on its own splits or on other data."""

import shlex

from sightline.config.command import Command
from sightline.evaluation.options import EvaluateOptions, check_unknown
from sightline.io.collection import imports_kept


def run(options: EvaluateOptions) -> int:
    """Evaluate a model.

    Raises:
        UserError: the run, the data or an option cannot be used; nothing is logged then.
    """
    from sightline.evaluation.overrides import check_data, read_data_overrides

    changes = read_data_overrides(options.overrides, EvaluateOptions.keys(), options.run)
    if check_unknown(options, changes.data):
        from sightline.evaluation.ood import evaluate_unknown

        evaluate_unknown(options, changes)
        return 0
    check_data(changes)
    with imports_kept():
        from sightline.evaluation.run import evaluate  # imports PyTorch
    command = shlex.join(["sightline", "evaluate", *options.words])
    evaluate(options.run, options.uri, options.settings, changes, command)
    return 0


COMMAND = Command(
    help="evaluate a trained or published model, on its own or on other data",
    section="trained models",
    about="""\
Metrics with 95 % intervals, calibration, thresholds, slices and figures of a trained model, logged
into its run. On the run's own split they come from the stored predictions, unless an option needs
the model; with data=SOURCE the model predicts other data, whose classes are matched by name. Images
that were in the run's train or val are counted, and the metrics given with and without them.

Without run=, model=timm model.name=NAME evaluates a model as published, as timm's validate.py does;
classes are matched by ImageNet's synsets and words.""",
    examples={
        "sightline evaluate run=RUN slices=[site] robustness=true": "",
        "sightline evaluate run=RUN data=folder data.root=FOLDER name=other": "",
        "sightline evaluate run=RUN ood=[near:FOLDER,far:FOLDER] scores=[energy,knn]": "",
        "sightline evaluate model=timm model.name=resnet18 data=folder data.root=FOLDER": "",
    },
    options=EvaluateOptions,
    overrides={
        "model.KEY=VALUE": "model=timm model.name=NAME, and model.pretrained_path=FILE",
        "data=SOURCE": "other data, as for `sightline train`: data=folder data.root=FOLDER, ...",
        "data.KEY=VALUE": "alone: changes how the run's own data is read, such as data.root=FOLDER",
    },
    others="overrides",
    run=run,
)
