"""The memory of a training's device: how much is free, how much a call needs, and running out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import torch
from pytorch_lightning.utilities.memory import garbage_collection_cuda, is_oom_error

from sightline.config.schema import TrainConfig
from sightline.errors import UserError, first_line

GROUPS = Path("/sys/fs/cgroup")
LIMITS = (  # limit and use of a container or a job, in the two versions of Linux's control groups
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def free_bytes(device: torch.device) -> int:
    """What can still be taken on a device; on a CPU also by the limit of its container."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    free = int(psutil.virtual_memory().available)
    for limit, used in LIMITS:
        with suppress(OSError, ValueError):  # no such group, or "max"
            taken = int((GROUPS / used).read_text())
            free = min(free, int((GROUPS / limit).read_text()) - taken)
    return free


def used_bytes(device: torch.device) -> int:
    """What this process has taken on a device; 0 where a system does not tell it."""
    garbage_collection_cuda()
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else _resident("VmRSS")


def needed_bytes(run: Callable[[], object], device: torch.device, before: int) -> int | None:
    """What a call takes at its peak beside `before`; None: more than there is.

    0 where the system does not tell it (a CPU without Linux's /proc).
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM is the peak from now on
    try:
        run()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None
    finally:
        garbage_collection_cuda()
    on_gpu = device.type == "cuda"
    peak = torch.cuda.max_memory_reserved(device) if on_gpu else _resident("VmHWM")
    return max(0, peak - before)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that a device has no memory left."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or (isinstance(error, RuntimeError) and is_oom_error(error))


@contextmanager
def out_of_memory_named(config: TrainConfig) -> Iterator[None]:
    """Running out of memory as one message, with the batch size to try.

    Args:
        config: as it is trained.

    Raises:
        UserError: in place of the device's error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"Out of memory with data.batch_size={config.data_common.images_a_batch} "
            f"({first_line(error)}). {advice(config)}"
        ) from error


def advice(config: TrainConfig) -> str:
    """What to try where a batch did not fit: half of it, in twice as many batches a step."""
    size = config.data_common.images_a_batch
    accumulated = int(config.trainer.get("accumulate_grad_batches") or 1)
    smaller = (
        "model.grad_checkpointing=true (timm's models), a smaller model.img_size, or "
        "trainer.precision=bf16-mixed"
    )
    if size <= 2:
        return f"A smaller batch is hardly possible; try {smaller}."
    half = size // 2
    steps = -(-size * accumulated // half)
    device = " data.cache=ram," if config.data["cache"] in ("auto", "device") else ""
    return (
        f"Try data.batch_size={half} trainer.accumulate_grad_batches={steps}, which makes the same "
        f"steps, or data.batch_size=auto data.effective_batch_size={size * accumulated}, which "
        f"finds what fits; or{device} {smaller}."
    )


def _resident(field: str) -> int:
    """A field of this process's memory in bytes; 0 where the system does not tell it."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return 0
