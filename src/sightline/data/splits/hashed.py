"""Splits by hash: each sample's own hash decides, so that adding images moves hardly any other."""

import hashlib

import numpy as np

from sightline.data.source_data import Split
from sightline.data.splits.presence import SplitUnits, units_of, with_every_label


def hashed_places(split: Split, keys: list[bytes], salt: str) -> np.ndarray:
    """The place in [0, 1) of each unit of a split: samples, or groups.

    Args:
        split: the samples.
        keys: of each sample; those of a group are the same.
        salt: another one gives other places.
    """
    first = np.unique(units_of(split).of_sample, return_index=True)[1]
    start = f"{salt}\0".encode()
    digests = [hashlib.blake2b(start + keys[i], digest_size=8).digest() for i in first]
    numbers = np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
    places: np.ndarray = (numbers >> np.uint64(11)) / 2.0**53
    return places


def hold_out_by_hash(
    split: Split, places: np.ndarray, low: float, high: float, keep: int
) -> np.ndarray:
    """Shape (N,), whether each sample is held out: those with a place from `low` up to `high`.

    A place does not depend on the other samples. So a sample changes sides only where a label
    would else be on one side alone, and the share of each class varies as in a random draw.

    Args:
        split: the samples.
        places: of each unit.
        low: 0 to 1.
        high: 0 to 1.
        keep: see `with_every_label`.
    """
    units: SplitUnits = units_of(split)
    out = (places >= low) & (places < high)
    # The unit nearest above the range is the first to move: the same one, whatever is added.
    distance = np.where(places >= high, places - high, 1 + high - places)
    out = with_every_label(units, out, keep, distance, swap=False)
    chosen: np.ndarray = out[units.of_sample]
    return chosen
