"""Words of `sightline job` after the folder: what the command that starts a job allows it.

A job's config is read from its folder, which can be a stranger's. What could run code, or write
data into a folder of this machine, is therefore allowed by the command and never by that file.
"""

from collections.abc import Iterable, Sequence

from sightline.config.schema import TrainConfig
from sightline.config.stored import without_download

DOWNLOAD = "data.download=true"


def downloads(config: TrainConfig) -> bool:
    """Whether a config downloads its data where they are missing."""
    return config.data.get("download") is True


def job_words(configs: Iterable[TrainConfig]) -> list[str]:
    """The words for jobs of these configs: the packages that they name, and `data.download`."""
    known = list(configs)
    plugins = dict.fromkeys(name for each in known for name in each.plugins)
    return [*plugins, *([DOWNLOAD] if any(map(downloads, known)) else [])]


def allowed_by(words: Sequence[str]) -> tuple[list[str], bool]:
    """The packages that the words allow, and whether data may be downloaded."""
    return [word for word in words if word != DOWNLOAD], DOWNLOAD in words


def with_allowed_download(config: TrainConfig, allowed: bool) -> TrainConfig:
    """A config of a file, by which data are downloaded only where the command allows it."""
    if allowed or not downloads(config):
        return config
    return config.model_copy(update=without_download({"data": config.data}))
