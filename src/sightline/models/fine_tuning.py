"""Pretrained weights made ready to be trained further, as the config says."""

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from sightline.config.fine_tuning_keys import FineTuningConfig, is_pretrained, way_of_training
from sightline.config.schema import TrainConfig
from sightline.config.validation import Node
from sightline.errors import UserError
from sightline.models.head import head_names, start_head
from sightline.models.lora import add_updates


def check_fine_tuning(model: Node, config: FineTuningConfig) -> None:
    """Find keys that contradict each other, before anything is built.

    Raises:
        UserError: names them.
    """
    if config.freeze_batch_norm and not is_pretrained(model):
        raise UserError(
            "model.freeze_batch_norm=true keeps the statistics of pretrained weights, and without "
            "such it would keep those of no image; add model.pretrained=true or "
            "model.pretrained_path=FILE."
        )
    if config.lora_rank is None:
        return
    if not is_pretrained(model):
        raise UserError(
            f"model.lora_rank={config.lora_rank} updates pretrained weights; add "
            "model.pretrained=true or model.pretrained_path=FILE."
        )
    if model.get("freeze_backbone"):
        raise UserError(
            f"model.lora_rank={config.lora_rank}: with model.freeze_backbone=true only the head "
            "learns; leave one of the two out."
        )


def prepare_network(network: nn.Module, model: Node, config: FineTuningConfig) -> None:
    """Start the head, freeze batch normalisation and add low-rank updates, in place.

    Args:
        network: with its pretrained weights, if the config names such.
        model: the config's `model`.
        config: its part about fine-tuning.

    Raises:
        UserError: the network lacks what a key is about.
    """
    check_fine_tuning(model, config)
    if config.head_std is not None and is_pretrained(model):
        start_head(network, config.head_std)
    if config.freeze_batch_norm:
        freeze_batch_norm(network)
    if config.lora_rank is not None:
        add_updates(network, config.lora_rank, config.lora_alpha, config.lora_layers)


def freeze_batch_norm(network: nn.Module) -> None:
    """Keep every batch normalisation before the head: running statistics, weights and biases.

    Raises:
        UserError: there is none.
    """
    of_head = {name.rpartition(".")[0] for name in head_names(network)}
    norms = [
        module
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm) and name not in of_head
    ]
    if not norms:
        raise UserError(
            f"model.freeze_batch_norm=true: {type(network).__name__} has no batch normalisation."
        )
    for norm in norms:
        norm.requires_grad_(False)
        norm.register_forward_pre_hook(_keep_in_evaluation)


def _keep_in_evaluation(norm: nn.Module, inputs: Any) -> None:
    norm.eval()


def describe_fine_tuning(config: TrainConfig) -> str:
    """What learns of pretrained weights, how the head starts and by which steps, in words.

    Empty where there are none.
    """
    model, tuning = config.model, config.fine_tuning
    if not is_pretrained(model):
        return ""
    learns = {
        "whole": "all learn", "head": "the head alone learns",
        "lora": f"updates of rank {tuning.lora_rank} and the head learn",
    }[way_of_training(model)]  # fmt: skip
    start = "as the model starts it" if tuning.head_std is None else f"at std {tuning.head_std:g}"
    frozen = "; batch normalisation is frozen" if tuning.freeze_batch_norm else ""
    steps = f"lr {config.optimizer.get('lr')}, {config.data_common.images_a_batch} images a batch"
    return f"{learns}; the head starts {start}{frozen}; {steps}"
