"""Seeds of random numbers, derived from where they are used.

No generator runs through the training, so a resumed run samples the same numbers without any
stored state.
"""

import hashlib
import random
import struct

import numpy as np
import torch

# Purposes of random numbers; each has seeds of its own.
ORDER, IMAGE, STEP = range(3)
# Position in the split, and number of the sample counted over all epochs.
SampleIndex = tuple[int, int]


def derived_seed(*numbers: int) -> int:
    """A seed of 63 bits for a tuple of numbers (BLAKE2b)."""
    text = struct.pack(f"<{len(numbers)}q", *numbers)
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def seed_image(seed: int, *numbers: int) -> None:
    """Seed the augmentation of one image on a processor: torch, NumPy and Python."""
    _seed_processor(derived_seed(seed, IMAGE, *numbers))


def seed_step(seed: int, epoch: int, batch: int, rank: int, device: torch.device) -> None:
    """Seed one training step: batch augmentation, mixing, dropout.

    Not by `torch.manual_seed`, which takes half a millisecond where CUDA is not in use.
    """
    value = derived_seed(seed, STEP, epoch, batch, rank)
    _seed_processor(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
    elif device.type == "mps":
        torch.mps.manual_seed(value)


def _seed_processor(value: int) -> None:
    torch.default_generator.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)
