"""Optimizers by name: those of timm's registry, and torch's own."""

from typing import Annotated, Any

import torch
from pydantic import Field
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from torch.optim import Optimizer

from sightline.errors import UserError, did_you_mean

LOOKAHEAD = "lookahead_"  # before a name of timm's
# Those that step matrices and convolutions one way and the rest another, which `use_fallback` of a
# group chooses too.
HYBRID = ("adamuon", "muon", "nadamuon")
# They need second derivatives or sparse gradients, which a training step does not take.
UNFIT = ("adahessian", "SparseAdam")


def named_optimizer(
    params: Any,
    name: str,
    lr: Annotated[float, Field(gt=0)],
    weight_decay: Annotated[float, Field(ge=0)],
    **options: Any,
) -> Optimizer:
    """The optimizer that a name stands for.

    Args:
        params: groups of parameters.
        name: of timm's registry, in lower case (`nadamuon`, `lookahead_adamw`), or a class of
            torch.optim as it is written there (`Rprop`).
        lr: learning rate.
        weight_decay: of all groups that have none of their own.
        options: further arguments of the optimizer.

    Raises:
        UserError: the name is unknown, or the optimizer cannot be used here.
    """
    torchs = _of_torch()
    base = name.removeprefix(LOOKAHEAD)
    if base in UNFIT:
        raise UserError(
            f"optimizer.name={name}: it needs second derivatives or sparse gradients, which this "
            "training does not take."
        )
    if name in torchs:
        return _build_torchs(torchs[name], params, {"lr": lr, **options}, weight_decay)
    if base not in list_optimizers():
        known = [*map(str, list_optimizers(exclude_filters=list(UNFIT))), *torchs]
        raise UserError(
            f"optimizer.name={name}: neither timm nor torch.optim has it."
            f"{did_you_mean(name, known)} There are {', '.join(known)}; and lookahead_NAME."
        )
    about = get_optimizer_info(base)
    for key, taken in (("eps", about.has_eps), ("betas", about.has_betas)):
        if key in options and not taken:  # timm would drop it
            raise UserError(f"optimizer.{key}: optimizer.name={name} takes no such argument.")
    try:
        return create_optimizer_v2(params, name, lr, weight_decay, **options)
    except (AssertionError, ImportError) as error:
        raise UserError(f"optimizer.name={name}: {error}.") from error


def _of_torch() -> dict[str, type[Optimizer]]:
    """torch's optimizers that can be used here, by the names of their classes."""
    return {
        name: kind
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type)
        and issubclass(kind, Optimizer)
        and kind is not Optimizer
        and name not in UNFIT
    }


def _build_torchs(
    kind: type[Optimizer], params: Any, options: dict[str, Any], weight_decay: float
) -> Optimizer:
    """One of torch's; a weight decay of 0 is not passed, since some take none."""
    given = options | ({"weight_decay": weight_decay} if weight_decay else {})
    return kind(params, **given)
