"""Image sizes near a given one that a network takes, and all of whose pixels it sees."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sightline.models.input_check import InputCheck
from sightline.types import ImgSize

STEPS = (4, 8, 12, 14, 16, 24, 28, 32, 48, 56, 64, 112, 128, 224)  # multiples that networks ask for
PER_STEP = 3
MAX_SIZE = 1024
MAX_TRIED = 12

Check = Callable[[ImgSize], InputCheck]
Runs = Callable[[ImgSize], bool]


def next_size(size: ImgSize, steps: Sequence[int], check: Check) -> InputCheck | None:
    """The check of the smallest larger size that passes, of the multiples of `steps`.

    Args:
        size: in pixels.
        steps: see `steps_of`.
        check: of the network at another size.
    """
    return _first(_multiples(size, steps, up=True), check)


def previous_size(size: ImgSize, steps: Sequence[int], check: Check) -> InputCheck | None:
    """The check of the largest smaller size that passes; see `next_size`."""
    return _first(_multiples(size, steps, up=False), check)


def smallest_size(
    size: ImgSize, steps: Sequence[int], runs: Runs, check: Check
) -> InputCheck | None:
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


def _boundary(fails: ImgSize, works: ImgSize, runs: Runs) -> ImgSize:
    """The smallest square that works, between one that fails and one that works."""
    if not (isinstance(fails, int) and isinstance(works, int)):
        return works
    while works - fails > 1:
        middle = (fails + works) // 2
        fails, works = (fails, middle) if runs(middle) else (middle, works)
    return works


def _first(sizes: Iterator[ImgSize], check: Check) -> InputCheck | None:
    for _, size in zip(range(MAX_TRIED), sizes, strict=False):
        checked = check(size)
        if checked.passed:
            return checked
    return None


def _multiples(size: ImgSize, steps: Sequence[int], up: bool) -> Iterator[ImgSize]:
    """The nearest multiples of each step above or below a size, the nearest first.

    Of the sides of a size that is not square, those that are multiples stay, for the nearest.
    """
    number = range(1, PER_STEP + 1)
    if isinstance(size, int):
        sides = {_multiple(size, step, n, up) for step in steps for n in number}
        yield from sorted((each for each in sides if 0 < each <= MAX_SIZE), reverse=not up)
        return
    towards = -1 if up else 1
    height, width = (side + towards for side in size)
    found = {
        (_multiple(height, step, n, up), _multiple(width, step, n, up))
        for step in steps
        for n in number
    } - {size}
    fitting = [each for each in found if min(each) > 0 and max(each) <= MAX_SIZE]
    yield from sorted(fitting, key=math.prod, reverse=not up)


def _multiple(side: int, step: int, n: int, up: bool) -> int:
    """The n-th multiple of a step above or below a side."""
    return (side // step + n) * step if up else (-(-side // step) - n) * step


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
