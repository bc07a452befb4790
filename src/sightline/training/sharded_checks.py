"""Refusals of what parameters that are shared out (FSDP) do not allow, or what was not tried."""

from sightline.config.schema import TrainConfig
from sightline.config.speed_keys import OPEN_PRECISIONS
from sightline.errors import UserError

STRATEGIES = ("fsdp", "fsdp_cpu_offload")
ON_CPU = ("32-true", "32")  # precisions
SUPERVISED = "sightline.training.methods.supervised.Supervised"


def is_sharded(config: TrainConfig) -> bool:
    """Whether a training's parameters are shared out."""
    return config.trainer.get("strategy") in STRATEGIES


def check_sharded(config: TrainConfig) -> None:
    """Refuse options that need whole parameters or gradients in each process.

    Raises:
        UserError: names the option.
    """
    if not is_sharded(config):
        return
    refused = {
        "optimizer.agc": config.optimizer_common.agc is not None,
        "optimizer.param_groups.freeze_epochs": any(
            rule.freeze_epochs for rule in config.optimizer_common.param_groups
        ),
        "trainer.gradient_clip_val": config.trainer.get("gradient_clip_val"),
        "swa.start_epoch": config.swa.start_epoch is not None,
        "model.compile": config.model.get("compile"),
        "optimizer": "muon" in str(config.optimizer).lower(),
        "optimizer ": "schedulefree" in str(config.optimizer).lower().replace("_", ""),
        "method": config.method["_target_"] != SUPERVISED,
    }
    for name, given in refused.items():
        if given:
            raise UserError(
                f"{name.strip()}: with trainer=fsdp a process holds only its share of the "
                "parameters and gradients, and this needs whole ones. Leave it out, or use "
                "trainer=ddp."
            )
    precision = config.trainer.get("precision")
    allowed = precision in OPEN_PRECISIONS or str(precision) in ON_CPU
    if config.trainer.get("accelerator") == "cpu" and not allowed:
        raise UserError(
            f"trainer.precision={precision}: trainer=fsdp on a CPU computes in 32-true alone."
        )
