"""Training with shared-out parameters, gradients and optimizer state (FSDP).

Lightning's strategy, with what it lacks here: processes without a GPU (gloo), one wrapper for the
training and the evaluations after it, and checkpoints that are read as data alone. A checkpoint is
one whole file, as that of any other strategy: one process loads it, and any number resumes.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.strategies import FSDPStrategy
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, distributed, nn
from torch.distributed.fsdp import FullOptimStateDictConfig, FullStateDictConfig
from torch.distributed.fsdp import FullyShardedDataParallel as Sharded
from torch.distributed.fsdp import StateDictType as Kind
from torch.distributed.fsdp._common_utils import clean_tensor_name
from torch.distributed.fsdp._runtime_utils import _reshard
from torch.distributed.fsdp.wrap import size_based_auto_wrap_policy
from torch.optim import Optimizer

from sightline.training.lightning_compat import remake_train_loader

UNIT_PARAMETERS = 5_000_000  # of a part that is gathered as a whole, at least


class ShardedStrategy(FSDPStrategy):
    """FSDP of a module whose optimizer was planned before its parameters were shared out.

    Args:
        offload: whether parameters rest in the memory of the host.
    """

    def __init__(self, offload: bool = False) -> None:
        super().__init__(cpu_offload=offload)
        self._sharded: Sharded | None = None

    def _setup_model(self, model: nn.Module) -> nn.Module:
        """Wrap once: parameters that are shared out cannot be wrapped a second time."""
        if self._sharded is None:
            self._sharded = Sharded(
                model, cpu_offload=self.cpu_offload, mixed_precision=self.mixed_precision_config,
                sharding_strategy=self.sharding_strategy, device_id=self.root_device,
                auto_wrap_policy=partial(
                    size_based_auto_wrap_policy, min_num_params=UNIT_PARAMETERS
                ), use_orig_params=True,
            )  # fmt: skip
        return self._sharded

    def load_checkpoint(
        self, checkpoint_path: str | Path, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Load weights, and to train on the optimizer's state; the rest of a checkpoint."""
        path = self.broadcast(checkpoint_path)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        self.load_weights(state.pop("state_dict"))
        assert self.lightning_module is not None
        trainer = self.lightning_module.trainer
        if trainer.state.fn == TrainerFn.FITTING:
            self._load_optimizers(state["optimizer_states"])
            remake_train_loader(trainer)  # it would begin at the start of an interrupted epoch
        return state

    def load_weights(self, state: Mapping[str, Any]) -> None:
        """Load a whole state dict; each rank keeps its share."""
        with _whole(self._wrapper()):
            self._wrapper().load_state_dict(state)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The whole state in torch's own form, by numbers; of further ranks an empty one.

        Lightning numbers parameters in the model's order, torch in that of the optimizer's groups.
        """
        own = getattr(optimizer, "_optimizer", optimizer)  # without Lightning's wrapper
        local = own.state_dict()
        kinds: list[set[str]] = [set()] * distributed.get_world_size()
        distributed.all_gather_object(
            kinds, {kind for each in local["state"].values() for kind in each}
        )
        whole: dict[str, Any] = {}
        for kind in sorted(set().union(*kinds)):
            _add_state(whole, self._gathered(own, local, kind))
        numbers = {name: number for number, name in enumerate(self._names(own))}
        return _rekeyed(whole, numbers)

    def _gathered(self, optimizer: Optimizer, local: dict[str, Any], kind: str) -> dict[str, Any]:
        """One kind of an optimizer's state: torch gathers all kinds in one buffer on a CPU."""
        states = {key: {kind: each[kind]} for key, each in local["state"].items() if kind in each}
        part = local | {"state": states}
        with _whole(self._wrapper(), on_all_ranks=False):
            return deepcopy(Sharded.optim_state_dict(self._wrapper(), optimizer, part))

    def _load_optimizers(self, states: list[dict[str, Any]]) -> None:
        model = self._wrapper()
        with _whole(model):
            for optimizer, state in zip(self.optimizers, states, strict=True):
                named = _rekeyed(state, dict(enumerate(self._names(optimizer))))
                optimizer.load_state_dict(Sharded.optim_state_dict_to_load(model, optimizer, named))

    def _names(self, optimizer: Optimizer) -> list[str]:
        """The names of an optimizer's parameters, in its order."""
        names = {id(p): clean_tensor_name(name) for name, p in self._wrapper().named_parameters()}
        return [names[id(p)] for group in optimizer.param_groups for p in group["params"]]

    def shards(self) -> list[Tensor]:
        """This rank's shares of the parameters, and its buffers, to read and write in place.

        What an evaluation left gathered is dropped, so that it is not taken for what is written.
        """
        model = self._wrapper()
        found: list[Tensor] = []
        for unit in Sharded.fsdp_modules(model):
            handle = unit._handle
            if handle is not None:
                if hasattr(handle.flat_param, "_local_shard"):  # something was gathered before
                    _reshard(unit, handle, True)
                found.append(handle.flat_param.data)
        return [*found, *(buffer.data for buffer in model.buffers())]

    def share_statistics(self) -> None:
        """Set all ranks' buffers to rank 0's, whose running statistics are saved."""
        for buffer in self._wrapper().buffers():
            distributed.broadcast(buffer.data, 0)

    def _wrapper(self) -> Sharded:
        assert self._sharded is not None
        return self._sharded


def load_weights(trainer: Trainer, module: LightningModule, state: Mapping[str, Any]) -> None:
    """Load a whole state dict into a module that may be shared out."""
    strategy = trainer.strategy
    if isinstance(strategy, ShardedStrategy):
        strategy.load_weights(state)
    else:
        module.load_state_dict(state)


def _whole(model: Sharded, on_all_ranks: bool = True) -> AbstractContextManager[None]:
    """Inside, states are whole ones in the host's memory."""
    return Sharded.state_dict_type(
        model, Kind.FULL_STATE_DICT,
        FullStateDictConfig(offload_to_cpu=True, rank0_only=not on_all_ranks),
        FullOptimStateDictConfig(offload_to_cpu=True, rank0_only=not on_all_ranks),
    )  # fmt: skip


def _add_state(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Add one kind of an optimizer's state; of further ranks an empty one."""
    if part:
        whole.setdefault("param_groups", part["param_groups"])
        states = whole.setdefault("state", {})
        for name, each in part["state"].items():
            states.setdefault(name, {}).update(each)


def _rekeyed(state: Mapping[str, Any], keys: Mapping[Any, Any]) -> dict[str, Any]:
    """An optimizer's state with other keys of its parameters; an empty one stays empty."""
    if not state:
        return {}
    return {
        "state": {keys[key]: value for key, value in state["state"].items()},
        "param_groups": [
            group | {"params": [keys[key] for key in group["params"]]}
            for group in state["param_groups"]
        ],
    }
