"""The head of a timm model: the tensors that its `reset_classifier` replaces."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import UserError


def head_names(network: nn.Module) -> set[str]:
    """Names of the parameters and buffers of the head, or of both heads of a distilled model.

    They are found by giving a copy of the model, without memory for its weights, another head.

    Raises:
        UserError: the model has no head that can be replaced.
    """
    if not hasattr(network, "reset_classifier"):
        raise UserError(
            f"{type(network).__name__} has no method reset_classifier, by which its head is known."
        )
    memo: dict[int, Any] = {
        id(p): nn.Parameter(p.detach().to("meta"), p.requires_grad) for p in network.parameters()
    }
    memo |= {id(buffer): buffer.to("meta") for buffer in network.buffers()}
    twin: Any = copy.deepcopy(network, memo)
    before = _tensors(twin)
    with torch.random.fork_rng(devices=[]):  # the training's random numbers stay as they are
        twin.reset_classifier(twin.num_classes + 1)
    after = _tensors(twin)
    return {name for name, tensor in before.items() if after.get(name) is not tensor}


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def head_module(network: nn.Module) -> str | None:
    """Name of the smallest module that holds all of the head; None where that is the network."""
    owners = [name.split(".")[:-1] for name in head_names(network)]
    shared = []
    for parts in zip(*owners, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared) or None


def start_head(network: nn.Module, std: float) -> None:
    """Start the head with normal weights of mean 0 and this deviation, and biases of 0.

    So the first logits are small whatever number of classes, as fine-tuning expects; timm starts
    the heads of some families with deviations up to 0.4. Norms in a head keep their weights of 1.
    """
    for name in sorted(head_names(network)):
        tensor = dict(network.named_parameters()).get(name)
        if tensor is None:
            continue  # a running statistic
        if tensor.ndim > 1:
            nn.init.normal_(tensor, std=std)
        elif name.endswith("bias"):
            nn.init.zeros_(tensor)


def freeze_backbone(network: nn.Module) -> None:
    """Train only the head; keep the backbone in evaluation mode (batch statistics, dropout).

    Raises:
        UserError: the model has no head that can be replaced.
    """
    names = head_names(network)
    if not names:
        raise UserError(f"{type(network).__name__} has no head: nothing would be trained.")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in names)
    owners = {name.rpartition(".")[0] for name in names}
    heads = [module for name, module in network.named_modules() if name in owners]

    def keep_in_evaluation(module: nn.Module, inputs: Any) -> None:
        if module.training:
            module.eval()
            for head in heads:
                head.train()

    network.register_forward_pre_hook(keep_in_evaluation)
