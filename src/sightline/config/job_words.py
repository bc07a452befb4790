"""Words of `sightline job` after the folder: what the command that starts a job allows it.

A job's config is read from its folder, which can be a stranger's. What could run code, or write
data into a folder of this machine, is therefore allowed by the command and never by that file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sightline.config.data_addresses import addresses_of
from sightline.config.schema import TrainConfig
from sightline.config.stored import without_download

DOWNLOAD = "data.download=true"
ADDRESSES = "data.addresses=allowed"  # the launching command checked them, on its machine


def downloads(config: TrainConfig) -> bool:
    """Whether a config downloads its data where they are missing."""
    return config.data.get("download") is True


def job_words(configs: Iterable[TrainConfig]) -> list[str]:
    """The words for jobs of these configs, which this command checked.

    The packages that they name, `data.download`, and the addresses of their data.
    """
    known = list(configs)
    plugins = dict.fromkeys(name for each in known for name in each.plugins)
    return [*plugins, *([DOWNLOAD] if any(map(downloads, known)) else []),
            *([ADDRESSES] if any(addresses_of(each.data) for each in known) else [])]  # fmt: skip


@dataclass(frozen=True)
class Allowed:
    """What a job may do.

    Attributes:
        plugins: packages that its config may name.
        download: whether data may be downloaded.
        addresses: whether its data may be read from the addresses that its config names.
    """

    plugins: list[str]
    download: bool
    addresses: bool


def allowed_by(words: Sequence[str]) -> Allowed:
    """What the words allow."""
    plugins = [word for word in words if word not in (DOWNLOAD, ADDRESSES)]
    return Allowed(plugins, DOWNLOAD in words, ADDRESSES in words)


def with_allowed_download(config: TrainConfig, allowed: bool) -> TrainConfig:
    """A config of a file, by which data are downloaded only where the command allows it."""
    if allowed or not downloads(config):
        return config
    return config.model_copy(update=without_download({"data": config.data}))
