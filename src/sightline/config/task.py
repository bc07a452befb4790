"""The task function of `sightline train`: channel of the command's arguments to Hydra's plugins."""

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from sightline.errors import UserError


class TrainTask:
    """The task function that `sightline train` gives to Hydra.

    Hydra passes it on to sweepers and launchers, which read the command's arguments from it. A
    single run is composed here and trained later, outside Hydra.

    Args:
        arguments: the words of the command after `train`.

    Attributes:
        composed: the config of a single run, `hydra` included; None before Hydra composed it.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments
        self.composed: DictConfig | None = None

    def __call__(self, config: DictConfig) -> None:
        """Keep the composed config of a single run.

        Raises:
            UserError: a launcher that is not Sightline's calls it for a job of a sweep.
        """
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise unknown_launcher(HydraConfig.get().runtime.choices["hydra/launcher"])
        complete = OmegaConf.merge({"hydra": HydraConfig.get()}, config)
        assert isinstance(complete, DictConfig)
        self.composed = complete


def unknown_launcher(name: str) -> UserError:
    """The error for a launcher of other packages, which cannot run frozen jobs."""
    return UserError(
        f"hydra/launcher={name}: sweeps and searches are launched by hydra/launcher=local or slurm."
    )
