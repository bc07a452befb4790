"""The best checkpoint: that of the epoch with the best value of the monitored metric."""

from typing import Any

from sightline.training.lightning_compat import MovableCheckpoint

STATE = "KeepBest"


class BestCheckpoint(MovableCheckpoint):
    """Keeps the checkpoint with the best value of `monitor`."""

    @property
    def state_key(self) -> str:
        """The key of its state in a checkpoint, as it is since 0.1.0."""
        return super().state_key.replace(type(self).__qualname__, STATE, 1)


def best_was_saved(checkpoint: dict[str, Any]) -> bool:
    """Whether a best checkpoint was saved beside this one."""
    states = (each for key, each in checkpoint["callbacks"].items() if key.startswith(STATE))
    return any(each.get("best_model_path") for each in states)
