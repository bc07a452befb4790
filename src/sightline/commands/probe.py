"""`sightline probe`: simple classifiers on frozen backbones' features, each as a run."""

import shlex
from typing import Annotated

from pydantic import BeforeValidator, Field, PositiveInt

from sightline.config.command import Command
from sightline.config.options import Options
from sightline.config.probe_names import Pooling, ProbeName, once_each


class ProbeOptions(Options):
    """Options of `sightline probe`."""

    probes: Annotated[tuple[ProbeName, ...], BeforeValidator(once_each)] = Field(
        ("knn", "logistic", "linear"), min_length=1,
        description="knn: weighted nearest neighbours; linear: by SGD at several rates",
    )  # fmt: skip
    pooling: Annotated[tuple[Pooling, ...], BeforeValidator(once_each)] = Field(
        ("head",), min_length=1,
        description="head: what the model's own head is given; others where it has them",
    )  # fmt: skip
    shots: Annotated[tuple[PositiveInt, ...] | None, BeforeValidator(once_each)] = Field(
        None, description="samples a class of further fits; by default 1, 5, 10 where there are",
    )  # fmt: skip
    draws: PositiveInt = Field(5, description="of these samples, for each number of shots")
    report: bool = Field(True, description="write report.html for each run")
    checkpoints: bool | None = Field(None, description="keep models; by default of one backbone")


def run(options: ProbeOptions) -> int:
    """Probe the backbones.

    Raises:
        UserError: a word, the data or a backbone cannot be used.
    """
    from sightline.probing.composed import compose_backbones
    from sightline.probing.words import backbone_words
    from sightline.training.early_checks import check_early

    backbones = compose_backbones(backbone_words(options.overrides, ProbeOptions.keys()))
    check_early(*(config for config, _ in backbones))
    from sightline.probing.run import run_probes
    from sightline.probing.settings import ProbeSettings

    settings = ProbeSettings(
        options.probes,
        options.pooling,
        options.shots,
        options.draws,
        options.report,
        options.checkpoints,
    )
    run_probes(backbones, settings, shlex.join(["sightline", "probe", *options.words]))
    return 0


COMMAND = Command(
    help="measure which frozen backbones suit the data",
    section="training",
    about="""\
Computes the features of each split once, keeps them in the cache, and fits simple classifiers on
them: nearest neighbours, a logistic regression, a linear layer. Fitted on train, settings chosen on
val. Each is a run with predictions, metrics and intervals, which `compare` ranks and tests as any
other; a board lists quality, size and speed. With several backbones test is left alone, unless
evaluate_test=true. The same command resumes after an interruption and fits nothing twice.""",
    examples={
        "sightline probe data=folder data.root=FOLDER model.name=[resnet18,resnet50]": "",
    },
    options=ProbeOptions,
    overrides={
        "data=SOURCE": "the data, as for `sightline train`",
        "model.name=[A,B]": "timm's, pretrained by default; or model=..., model.KEY=...",
        "KEY=VALUE": "further keys of label_mode, tuning, tracking, trainer; seed, monitor, "
        "evaluate_test, hydra.run.dir",
    },
    others="anything",
    run=run,
)
