"""The decision about what a config leaves open of a step: batch size and scaled learning rate."""

import logging
from collections.abc import Callable, Mapping, Sequence, Sized

import torch

from sightline.config.decided import ACCUMULATED, BATCH_SIZE, LR
from sightline.config.open_batch import as_decided, is_open, scaled_lr
from sightline.config.schema import TrainConfig
from sightline.errors import UserError, counted
from sightline.training.memory import free_bytes, needed_bytes, used_bytes

log = logging.getLogger(__name__)

MARGIN = 0.1  # of the free memory, which no batch may take: others, and larger validation batches
NEAR = 8  # times a batch that was tried: what a larger one needs is known well enough
GIB = 2**30

Trial = Callable[[int], object]  # trains on a batch of so many images


def decide(
    config: TrainConfig, before: Mapping[str, str], world_size: int, samples: Sized | None,
    device: torch.device, kept_bytes: int, trial: Trial,
) -> dict[str, str]:  # fmt: skip
    """Parameters of the run with what the config leaves open; those of a resumed run stay.

    Args:
        config: of the training.
        before: parameters of the run that is resumed; else none.
        world_size: processes that train together.
        samples: one for each training image; None where they are streamed.
        device: of the training.
        kept_bytes: of it, which the cached images will take.
        trial: trains on a batch, and raises where it does not fit.

    Raises:
        UserError: not even the smallest batch fits.
    """
    found: dict[str, str] = {}
    if is_open(config):
        found = {key: before[key] for key in (BATCH_SIZE, ACCUMULATED) if key in before}
        found = found or _tried(config, samples, device, kept_bytes, trial)
    if config.optimizer_common.lr_scaling is not None:
        found[LR] = before.get(LR) or _scaled(as_decided(config, found), world_size)
    return found


def check_open(config: TrainConfig, world_size: int) -> None:
    """Refuse, before data is read, what cannot be decided.

    Raises:
        UserError: names it.
    """
    tried = {"data.batch_size=auto": is_open(config), "lr_finder=true": config.lr_finder}
    for key, asked in tried.items():
        if asked and world_size > 1:
            raise UserError(
                f"{key}: it is tried in one process, and {world_size} train here. Find it with "
                "trainer.devices=1 first, and give its number."
            )
    scaling = config.optimizer_common.lr_scaling
    if scaling is not None and not isinstance(config.optimizer.get("lr"), int | float):
        raise UserError(
            f"optimizer.lr_scaling={scaling}: there is no learning rate to scale; give "
            "optimizer.lr."
        )


def divisors(number: int, most: int | None = None) -> list[int]:
    """Batch sizes of which a whole number makes a step, ascending, of two images or more.

    Args:
        number: images of a step.
        most: images that there are.
    """
    found = [each for each in range(2, number + 1) if number % each == 0]
    return [each for each in found if most is None or each <= most] or [min(number, most or number)]


def largest(
    sizes: Sequence[int], needed: Callable[[int], int | None], limit: int
) -> tuple[int, str]:
    """The largest batch that fits, and how that is known, in words.

    Each that is tried is at least twice the one before, as long as these fit. What two of them
    needed says what the next would need; one that would not fit is not tried, as a CPU that runs
    out of memory kills the process. Nor is one that fits by far.

    Args:
        sizes: ascending.
        needed: bytes for a batch of so many images; None: more than there is.
        limit: bytes that it may need.

    Raises:
        UserError: the smallest does not fit.
    """
    seen: list[tuple[int, int]] = []
    left = list(sizes)
    while left:
        if len(seen) > 1:
            most = _expected(seen, sizes[-1])
            if seen[-1][0] >= sizes[-1] / NEAR and most <= limit / 2:
                return sizes[-1], f"about {_gib(most)} GiB by smaller batches,"
            left = [size for size in left if _expected(seen, size) <= limit] or [0]
        last = seen[-1][0] if seen else 0
        size = next((each for each in left if each >= 2 * last), left[-1])
        taken = needed(size) if size else None
        if taken is not None and taken <= limit:
            seen.append((size, taken))
            left = [each for each in left if each > size]
        else:
            left = [each for each in left if last < each < size]
    if not seen:
        raise UserError(
            f"data.batch_size=auto: not even {counted(sizes[0], 'image')} a batch fits into the "
            f"{_gib(limit)} GiB that are free here. Try model.grad_checkpointing=true (timm's "
            "models), a smaller model.img_size, or a smaller model."
        )
    return seen[-1][0], f"{_gib(seen[-1][1])} GiB when tried,"


def _tried(
    config: TrainConfig, samples: Sized | None, device: torch.device, kept_bytes: int, trial: Trial
) -> dict[str, str]:
    step = config.data_common.effective_batch_size
    assert step is not None
    sizes = divisors(step, None if samples is None else len(samples))
    free = free_bytes(device) - kept_bytes
    limit = int(free * (1 - MARGIN))
    taken = used_bytes(device)
    size, how = largest(sizes, lambda size: needed_bytes(lambda: trial(size), device, taken), limit)
    bound = (
        ""
        if size < sizes[-1]
        else "; bounded by "
        + ("data.effective_batch_size" if size == step else "the number of training images")
    )
    log.info(
        "batch:   %d images (%s of %s GiB free on the %s, %d %% left%s); %s a step: %d images",
        size, how, _gib(free), device.type, MARGIN * 100, bound,
        counted(-(-step // size), "batch", "batches"), -(-step // size) * size,
    )  # fmt: skip
    return {BATCH_SIZE: str(size), ACCUMULATED: str(-(-step // size))}


def _scaled(config: TrainConfig, world_size: int) -> str:
    common = config.optimizer_common
    accumulated = int(config.trainer.get("accumulate_grad_batches") or 1)
    images = config.data_common.images_a_batch * accumulated * world_size
    lr = scaled_lr(config, images)
    root = "" if common.lr_scaling == "linear" else "the square root of "
    log.info(
        "lr:      %.4g = optimizer.lr %.4g times %s%d / %d, the images of a step by "
        "optimizer.lr_base_size", lr, config.optimizer["lr"], root, images, common.lr_base_size,
    )  # fmt: skip
    return repr(lr)


def short_epoch(config: TrainConfig, images: int) -> str | None:
    """The words where an epoch has fewer batches than are accumulated into a step; else None.

    Args:
        config: of the training.
        images: of train.
    """
    accumulated = int(config.trainer.get("accumulate_grad_batches") or 1)
    batches = -(-images // config.data_common.images_a_batch)
    if batches >= accumulated:
        return None
    return (
        f"one an epoch, of the mean over its {counted(batches, 'batch', 'batches')}: fewer than "
        f"trainer.accumulate_grad_batches={accumulated}"
    )


def _expected(seen: list[tuple[int, int]], size: int) -> int:
    """Bytes for a batch, on the line through the last two that were tried."""
    (one, few), (two, more) = seen[-2:]
    return int(more + max(0, more - few) / (two - one) * (size - two))


def _gib(number: int) -> str:
    return f"{number / GIB:.2f}"
