"""Words that Lightning's Trainer takes, without importing it; a test compares them with its own."""

import re

from sightline.config.validation import Node
from sightline.errors import UserError, did_you_mean

TRAINER = "pytorch_lightning.Trainer"
WORDS: dict[str, tuple[str, ...]] = {
    "precision": (
        "auto", "16-mixed", "bf16-mixed", "32-true", "64-true", "16-true", "bf16-true",
        "transformer-engine", "transformer-engine-float16", "16", "32", "64", "bf16",
    ),
    "accelerator": ("auto", "cpu", "gpu", "cuda", "mps", "tpu"),
    "strategy": (
        "auto", "ddp", "ddp_find_unused_parameters_false", "ddp_find_unused_parameters_true",
        "ddp_fork", "ddp_fork_find_unused_parameters_false",
        "ddp_fork_find_unused_parameters_true", "ddp_notebook",
        "ddp_notebook_find_unused_parameters_false", "ddp_notebook_find_unused_parameters_true",
        "ddp_spawn", "ddp_spawn_find_unused_parameters_false",
        "ddp_spawn_find_unused_parameters_true", "deepspeed", "deepspeed_stage_1",
        "deepspeed_stage_1_offload", "deepspeed_stage_2", "deepspeed_stage_2_offload",
        "deepspeed_stage_3", "deepspeed_stage_3_offload", "deepspeed_stage_3_offload_nvme", "dp",
        "fsdp", "fsdp_cpu_offload", "single_device", "single_tpu", "single_xla", "xla", "xla_debug",
        "xla_fsdp",
    ),
}  # fmt: skip


DEVICES = re.compile(r"auto|-?\d+|\d+(,\s*\d+)+,?")  # how many, or which


def check_trainer_words(node: Node) -> None:
    """Refuse values of options that Lightning's Trainer does not have.

    Raises:
        UserError: with those that it has.
    """
    if node["_target_"] != TRAINER:
        return
    for key, known in WORDS.items():
        value = node.get(key)
        if isinstance(value, (str, int)) and str(value) not in known:
            raise UserError(
                f"trainer.{key}={value}: Lightning has no such {key}."
                f"{did_you_mean(str(value), known)} Expected one of {', '.join(known)}."
            )
    devices = node.get("devices")
    if isinstance(devices, str) and DEVICES.fullmatch(devices) is None:
        raise UserError(
            f"trainer.devices={devices}: expected auto, how many devices, or a list of them: [0,1]."
        )
    nodes = node.get("num_nodes", 1)
    if not isinstance(nodes, int) or isinstance(nodes, bool) or nodes < 1:
        raise UserError(f"trainer.num_nodes={nodes}: expected how many machines, 1 or more.")
