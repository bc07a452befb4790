"""Parts of a training that Python code gives as objects, in place of those that a config names."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import UserError

if TYPE_CHECKING:
    from pytorch_lightning import Callback
    from torch import nn


@dataclass(frozen=True)
class Given:
    """The objects that `sightline.train` was called with.

    Attributes:
        data: for data=given: a SourceData, a data set of torch, or one for each split.
        network: for model=given: normalised images (B, C, H, W) in, logits (B, num_outputs) out.
        callbacks: Lightning's, after those of the config.
    """

    data: object | None = None
    network: "nn.Module | None" = None
    callbacks: tuple["Callback", ...] = ()

    @property
    def names(self) -> list[str]:
        """The arguments that were given."""
        found = {"data": self.data, "model": self.network, "callbacks": self.callbacks or None}
        return [name for name, value in found.items() if value is not None]


NOTHING = Given()


def check_processes(given: Given, processes: int) -> None:
    """Refuse objects where further processes train too: these have the config alone.

    Raises:
        UserError: with the key to give.
    """
    if given.names and processes > 1:
        raise UserError(
            f"sightline.train({'=..., '.join(given.names)}=...): objects of this process are not "
            f"in the {processes} processes that would train; give trainer.devices=1, or name "
            "classes of an installed package in the config."
        )
