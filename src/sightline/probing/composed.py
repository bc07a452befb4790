"""The configs of the backbones of a probing, composed before anything heavy is imported."""

from collections.abc import Sequence
from dataclasses import replace

from sightline.config.compose import compose_job
from sightline.config.schema import Job, TrainConfig
from sightline.paths import default_store, project_root


def compose_backbones(words: Sequence[Sequence[str]]) -> list[tuple[TrainConfig, Job]]:
    """The checked config of each backbone, logged to the same store wherever it is resumed.

    Raises:
        UserError: whatever is wrong with one.
    """
    found = []
    for each in words:
        config, job = compose_job(list(each))
        if config.tracking.uri is None:
            tracking = config.tracking.model_copy(update={"uri": default_store()})
            config = config.model_copy(update={"tracking": tracking})
        own = any(word.startswith("hydra.run.dir=") for word in each)
        root = job.output_dir if own else project_root() / "probes"
        found.append((config, replace(job, output_dir=root, arguments=[])))
    return found
