"""The task function of `sightline train`: channel of the command's arguments to Hydra's plugins."""

from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sightline.errors import UserError


class TrainTask:
    """The task function that `sightline train` gives to Hydra.

    Hydra passes it on to sweepers and launchers, which read the command's arguments from it.

    Args:
        arguments: the words of the command after `train`.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments

    def __call__(self, config: DictConfig) -> NoReturn:
        """Refuse a job: Sightline's launchers run frozen jobs, and a single run needs no task.

        Raises:
            UserError: a launcher that is not Sightline's calls it for a job of a sweep.
        """
        raise unknown_launcher(HydraConfig.get().runtime.choices["hydra/launcher"])


def unknown_launcher(name: str) -> UserError:
    """The error for a launcher of other packages, which cannot run frozen jobs."""
    return UserError(
        f"hydra/launcher={name}: sweeps and searches are launched by hydra/launcher=local or slurm."
    )
