"""Parameters that are frozen for the first epochs, and learn from then on."""

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn
from torch.optim import Optimizer

from sightline.config.optimizer_keys import OptimizerConfig
from sightline.training.param_groups import matching, named_parameters


class Unfreezing(Callback):
    """Freezes what `optimizer.param_groups` says for its `freeze_epochs`.

    The optimizer has these parameters from the start, in their groups, and passes over those
    without a gradient: so their state begins when they do, and a checkpoint of any moment resumes.
    The epoch alone decides what learns.

    Args:
        config: of the groups.
    """

    def __init__(self, config: OptimizerConfig) -> None:
        self.rules = config.param_groups
        self._epochs: dict[nn.Parameter, int] = {}  # in which each is frozen

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Of what would learn: what the model itself has frozen stays so."""
        for name, parameter in named_parameters(pl_module).items():
            rule = matching(name, self.rules)
            if parameter.requires_grad and rule is not None and rule.freeze_epochs is not None:
                self._epochs[parameter] = rule.freeze_epochs

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Also where the training resumes within an epoch."""
        self._apply(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Before the epoch's first batch."""
        self._apply(trainer)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Several processes exchange all gradients: drop those of what is frozen."""
        if trainer.world_size > 1:
            for parameter, epochs in self._epochs.items():
                if trainer.current_epoch < epochs:
                    parameter.grad = None

    def _apply(self, trainer: Trainer) -> None:
        if trainer.world_size == 1:  # DistributedDataParallel expects the gradients it began with
            for parameter, epochs in self._epochs.items():
                parameter.requires_grad_(trainer.current_epoch >= epochs)
