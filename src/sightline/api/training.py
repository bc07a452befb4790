"""train: a training from Python, as `sightline train` runs it."""

import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.api.run import Run
from sightline.config.compose import compose_job
from sightline.errors import Interrupted, UserError
from sightline.training.early_checks import check_early
from sightline.training.given import Given
from sightline.training.job import run_job
from sightline.training.resumption import with_folder_to_resume

if TYPE_CHECKING:
    from pytorch_lightning import Callback
    from torch import nn


def train(
    overrides: Sequence[str] = (), *, data: object | None = None,
    model: "nn.Module | None" = None, callbacks: Sequence["Callback"] = (),
) -> Run:  # fmt: skip
    """Train one model, in this process, and log it as the command line does.

    Args:
        overrides: of the config, as after `sightline train`: `["model=timm", "seed=1"]`;
            `resume=auto` or `resume=RUN` resumes a run.
        data: a `SourceData`; a data set of torch whose items are (image, target), with images as
            Pillow images, arrays or tensors, not normalised; or a mapping of train, val and test
            to such data sets. Missing splits are split off train.
        model: a network from normalised images (B, C, H, W) to logits (B, num_outputs). Its
            checkpoints are loaded with `sightline.load(RUN, model=NETWORK)`.
        callbacks: Lightning's.

    Returns:
        The run; of a run that had finished before, its results.

    Raises:
        UserError: whatever the user can fix, in the config or in what it names.
        KeyboardInterrupt: the run was interrupted; it is saved, and can be resumed.
    """
    words = [str(word) for word in overrides]
    given = Given(data, model, tuple(callbacks))
    for name, value in (("data", data), ("model", model)):
        if value is not None:
            words = [*words, *_chosen(words, name)]
    given_words = None
    if any(word.startswith("resume=") for word in words):
        words, given_words = with_folder_to_resume(words)
    config, job = compose_job(words, given_words)
    check_early(config)
    call = ", ".join([repr(list(overrides)), *(f"{name}=..." for name in given.names)])
    job = replace(job, command=f"sightline.train({call})")
    try:
        run_job(config, job, given)
    except Interrupted as interrupt:
        if interrupt.signum == signal.SIGINT:
            raise KeyboardInterrupt from interrupt
        raise
    return Run(job.output_dir, model=model)


def _chosen(words: Sequence[str], group: str) -> list[str]:
    """The override that names the given object; refused beside another choice."""
    others = [word for word in words if word.startswith(f"{group}=")]
    if others and others != [f"{group}=given"]:
        raise UserError(f"{group}: an object is given, and {others[0]} too; leave one of them out.")
    return [] if others else [f"{group}=given"]
