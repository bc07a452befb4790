"""Schedule-free optimizers, and the switch between the weights that they train and evaluate."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from sightline.config.schema import TrainConfig
from sightline.errors import UserError

TARGET = f"{__name__}.schedule_free"
CONSTANT = "sightline.training.schedulers.constant"


def schedule_free(
    params: Any,
    kind: Literal["adamw", "sgd", "radam"],
    lr: Annotated[float, Field(gt=0)],
    weight_decay: Annotated[float, Field(ge=0)],
    warmup_steps: NonNegativeInt,
    **options: Any,
) -> Optimizer:
    """An optimizer of the package schedulefree (Defazio et al. 2024).

    Args:
        params: groups of parameters.
        kind: what it is like.
        lr, weight_decay: of all groups that have none of their own.
        warmup_steps: of the learning rate, which is linear; radam has none.
        options: further arguments of the optimizer.

    Raises:
        UserError: the package is not installed, or radam is given a warm-up.
    """
    try:
        import schedulefree
    except ImportError as error:
        raise UserError(
            "optimizer=schedule_free needs the package schedulefree: pip install schedulefree."
        ) from error
    kinds = {
        "adamw": schedulefree.AdamWScheduleFree,
        "sgd": schedulefree.SGDScheduleFree,
        "radam": schedulefree.RAdamScheduleFree,
    }
    if kind == "radam" and warmup_steps:
        raise UserError(
            f"optimizer.warmup_steps={warmup_steps} has no effect: optimizer.kind=radam warms up "
            "by itself. Leave it out."
        )
    warms = {} if kind == "radam" else {"warmup_steps": warmup_steps}
    made = kinds[kind](params, lr=lr, weight_decay=weight_decay, **warms, **options)
    assert isinstance(made, Optimizer)
    return made


def is_schedule_free(config: TrainConfig) -> bool:
    """Whether the config's optimizer is one."""
    return config.optimizer.get("_target_") == TARGET


def check_schedule_free(config: TrainConfig) -> None:
    """Refuse a schedule, or another average, beside a schedule-free optimizer.

    Raises:
        UserError: names the key.
    """
    if not is_schedule_free(config):
        return
    schedule = config.scheduler
    if schedule["_target_"] != CONSTANT or schedule.get("warmup_epochs"):
        raise UserError(
            "optimizer=schedule_free takes no schedule: give scheduler=constant, without a "
            "warm-up; optimizer.warmup_steps warms up."
        )
    for key, given in (
        ("ema.decay", config.ema.decay),
        ("swa.start_epoch", config.swa.start_epoch),
    ):
        if given is not None:
            raise UserError(
                f"{key}={given}: optimizer=schedule_free averages the weights itself. Leave {key} "
                "out."
            )


def check_statistics(module: nn.Module) -> None:
    """Refuse batch normalisation: its statistics would be of other weights than are evaluated.

    Raises:
        UserError: the network has it.
    """
    if any(isinstance(each, _BatchNorm) and each.training for each in module.modules()):
        raise UserError(
            "optimizer=schedule_free: it evaluates an average of the weights that are trained, and "
            "statistics of batch normalisation are not the average's. Use a model without it, such "
            "as a transformer, or optimizer=adamw with ema.decay."
        )


class AverageInEvaluation(Callback):
    """Validates and saves the average, and restores the trained weights exactly.

    A checkpoint's `state_dict` holds the average, and the trained weights lie beside it. They are
    kept, not computed from the average, so that it does not matter when a checkpoint is saved.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] | None = None  # while the module holds the average

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the weights that are trained."""
        _optimizer(trainer).train()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the average."""
        if trainer.state.fn == TrainerFn.FITTING:
            self._take(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the trained weights again."""
        if trainer.state.fn == TrainerFn.FITTING:
            self._restore(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put the average into `state_dict`, with the trained weights beside it."""
        within = self._kept is not None
        if not within:
            self._take(trainer, pl_module)
        assert self._kept is not None
        checkpoint["state_dict"] = {k: v.clone() for k, v in pl_module.state_dict().items()}
        checkpoint["current_model_state"] = checkpoint["state_dict"] | dict(self._kept)
        for group in checkpoint["optimizer_states"][0]["param_groups"]:
            group["train_mode"] = True  # as the trained weights are
        if not within:
            self._restore(trainer, pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore the trained weights, to train on."""
        if trainer.state.fn == TrainerFn.FITTING:
            pl_module.load_state_dict(checkpoint["current_model_state"])

    def _take(self, trainer: Trainer, module: LightningModule) -> None:
        self._kept = {name: p.detach().clone() for name, p in module.named_parameters()}
        _optimizer(trainer).eval()

    def _restore(self, trainer: Trainer, module: LightningModule) -> None:
        assert self._kept is not None
        for name, parameter in module.named_parameters():
            parameter.data.copy_(self._kept[name])
        for group in _optimizer(trainer).param_groups:
            group["train_mode"] = True
        self._kept = None


def _optimizer(trainer: Trainer) -> Any:
    return trainer.optimizers[0]
