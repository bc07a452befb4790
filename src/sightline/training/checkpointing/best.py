"""The best checkpoint: that of the epoch with the best value of the monitored metric."""

from sightline.training.lightning_compat import MovableCheckpoint


class BestCheckpoint(MovableCheckpoint):
    """Keeps the checkpoint with the best value of `monitor`."""

    @property
    def state_key(self) -> str:
        """The key of its state in a checkpoint, as it is since 0.1.0."""
        return super().state_key.replace(type(self).__qualname__, "KeepBest", 1)
