"""`sightline ensemble`: the mean of several runs' predictions, as a run."""

import shlex
from typing import Literal

from pydantic import Field

from sightline.config.command import Command
from sightline.config.options import PLUGINS, URI, Options, Several, run_named
from sightline.errors import UserError


class EnsembleOptions(Options):
    """Options of `sightline ensemble`."""

    runs: Several = run_named(several=True)
    kind: Literal["uniform", "greedy"] = Field(
        "uniform",
        description="uniform: all runs alike; greedy: chosen on val with replacement, whichever "
        "makes the mean best (Caruana et al. 2004)",
    )
    how: Literal["probs", "logits"] = Field("probs", description="the mean of these")
    metric: str | None = Field(
        None, description="of val, for greedy; by default what the first run monitored"
    )
    plugins: Several = Field((), description=PLUGINS)
    uri: str | None = Field(None, alias="tracking.uri", description=URI)


def run(options: EnsembleOptions) -> int:
    """Make an ensemble.

    Raises:
        UserError: the runs do not fit together, or share no evaluated samples.
    """
    from dataclasses import replace

    from sightline.config.compose import compose_job
    from sightline.evaluation.ensemble import EnsembleSettings, make_ensemble

    for word in options.overrides:
        if not word.lstrip("+").startswith("tracking."):
            known = ", ".join(EnsembleOptions.keys())
            raise UserError(f"Unknown option {word!r}: expected {known}, or overrides of tracking.")
    now, job = compose_job(options.overrides)
    if options.uri is not None:
        now = now.model_copy(
            update={"tracking": now.tracking.model_copy(update={"uri": options.uri})}
        )
    settings = EnsembleSettings(**options.model_dump(exclude={"uri", "overrides", "words"}))
    command = shlex.join(["sightline", "ensemble", *options.words])
    make_ensemble(settings, options.uri, now, replace(job, command=command))
    return 0


COMMAND = Command(
    help="combine several runs into one model",
    section="trained models",
    about="""\
The mean of the runs' probabilities (or logits), of their stored predictions of val and test: an
MLflow run with metrics, intervals and a model that is evaluated, served and exported as any other.
The runs may be of different models, with the same classes and image sizes; their val and test are
the same samples, or of folds test alone. group:NAME stands for all finished runs of a group: its
seeds and folds. Calibration, thresholds, abstention and sets are fitted anew on val, as the first
run's config asks. What the members do not agree on is in the stored predictions as
meta_mutual_information (in nats).""",
    examples={
        "sightline ensemble runs=[RUN,RUN,RUN]": "",
        "sightline ensemble runs=group:NAME kind=greedy how=logits": "",
    },
    options=EnsembleOptions,
    overrides={"tracking.KEY=VALUE": "where the new run is logged"},
    others="overrides",
    run=run,
)
