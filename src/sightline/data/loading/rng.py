"""Random numbers as functions of where they are used: a run that goes on draws the same again.

No generator runs through the whole training, so there is no state to keep.
"""

import hashlib
import random
import struct

import numpy as np
import torch

# What a number is drawn for; each has numbers of its own.
ORDER, IMAGE, STEP = range(3)
SampleDraw = tuple[int, int]  # position in the split, number of the draw over all epochs


def sample_seed(*numbers: int) -> int:
    """A seed of 63 bits for what these numbers name."""
    text = struct.pack(f"<{len(numbers)}q", *numbers)
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def seed_image(seed: int, *numbers: int) -> None:
    """Seed what augments one image, on a processor: torch, NumPy and Python."""
    _seed_processor(sample_seed(seed, IMAGE, *numbers))


def seed_step(seed: int, epoch: int, batch: int, rank: int, device: torch.device) -> None:
    """Seed what one training step draws: batch augmentation, mixing, dropout.

    Not by `torch.manual_seed`, which takes half a millisecond where CUDA is not in use.
    """
    value = sample_seed(seed, STEP, epoch, batch, rank)
    _seed_processor(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
    elif device.type == "mps":
        torch.mps.manual_seed(value)


def _seed_processor(value: int) -> None:
    torch.default_generator.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)
