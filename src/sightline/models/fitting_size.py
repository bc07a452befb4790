"""Image sizes near a given one that a network takes, and all of whose pixels it sees."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sightline.models.input_check import InputCheck

STEPS = (4, 8, 12, 14, 16, 24, 28, 32, 48, 56, 64, 112, 128, 224)  # multiples that networks ask for
PER_STEP = 3
MAX_SIZE = 1024
MAX_TRIED = 12

Check = Callable[[int], InputCheck]
Runs = Callable[[int], bool]


def next_size(size: int, steps: Sequence[int], check: Check) -> InputCheck | None:
    """The check of the smallest larger size that passes, of the multiples of `steps`.

    Args:
        size: in pixels.
        steps: see `steps_of`.
        check: of the network at another size.
    """
    return _first(_multiples(size, steps, up=True), check)


def previous_size(size: int, steps: Sequence[int], check: Check) -> InputCheck | None:
    """The check of the largest smaller size that passes; see `next_size`."""
    return _first(_multiples(size, steps, up=False), check)


def smallest_size(size: int, steps: Sequence[int], runs: Runs, check: Check) -> InputCheck | None:
    """The check of the smallest size above one that fails, for a network that needs larger images.

    Args:
        size: that fails, in pixels.
        steps: see `steps_of`.
        runs: whether the network takes images of a size at all; cheap.
        check: of the network at another size.
    """
    below = size
    for larger in _multiples(size, steps, up=True):
        if runs(larger):
            found = _boundary(below, larger, runs)
            for each in dict.fromkeys((found, larger)):
                checked = check(each)
                if checked.passed:
                    return checked
        below = larger
    return None


def _boundary(fails: int, works: int, runs: Runs) -> int:
    """The smallest size that works, between one that fails and one that works."""
    while works - fails > 1:
        middle = (fails + works) // 2
        fails, works = (fails, middle) if runs(middle) else (middle, works)
    return works


def _first(sizes: Iterator[int], check: Check) -> InputCheck | None:
    for _, size in zip(range(MAX_TRIED), sizes, strict=False):
        checked = check(size)
        if checked.passed:
            return checked
    return None


def _multiples(size: int, steps: Sequence[int], up: bool) -> Iterator[int]:
    """The nearest multiples of each step above or below a size, the nearest first."""
    if up:
        found = {(size // step + n) * step for step in steps for n in range(1, PER_STEP + 1)}
    else:
        found = {(-(-size // step) - n) * step for step in steps for n in range(1, PER_STEP + 1)}
    yield from sorted((each for each in found if 0 < each <= MAX_SIZE), reverse=not up)


def steps_of(network: Any) -> tuple[int, ...]:
    """Numbers of whose multiples a network's input size may have to be.

    Of timm's transformers the side of the patches times powers of two; else common ones; and the
    size that the model was made for.
    """
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", None)
    if isinstance(patch, tuple | list):
        patch = patch[0] if len(set(patch)) == 1 else None
    steps = (patch, 2 * patch, 4 * patch, 8 * patch) if isinstance(patch, int) else STEPS
    native = getattr(network, "pretrained_cfg", {}).get("input_size")
    return (*steps, native[-1]) if native else steps


def is_built_for_size(network: Any) -> bool:
    """Whether the size of the images is a part of a network: always, unless timm denies it."""
    return bool(getattr(network, "pretrained_cfg", {}).get("fixed_input_size", True))
