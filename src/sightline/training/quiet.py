"""Messages of libraries that are silenced, because Sightline reports the same or decides it."""

import logging
import warnings

LOGGERS = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "alembic", "mlflow")
WARNINGS = (
    ".*LeafSpec.*",  # Lightning's use of a newer torch
    # Advice about loaders, tensor cores and srun, which the config decides.
    ".*`srun` command is available.*",
    ".*does not have many workers.*",
    ".*Using `DistributedSampler`.*",  # samples that it repeats are counted once here
    ".*functional.all_gather is deprecated.*",
    ".*`IterableDataset` has `__len__` defined.*",
    ".*your dataloader is not resumable.*",  # it is, by its sampler
    ".*smaller than the logging interval.*",
    ".*passed in a `val_dataloader` but have no `validation_step`.*",  # of trials
    ".*zero-element tensors is a no-op.*",  # of a model that is tried at too small a size
    ".*Checkpoint directory .* exists and is not empty.*",
)


def quiet_libraries() -> None:
    """Silence what libraries would print beside Sightline's own messages."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message=message)
