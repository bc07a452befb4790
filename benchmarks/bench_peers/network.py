"""The network of model=cnn and the device, for peers that take a module."""

import torch

from benchmarks.bench_peers.task import CLASSES, DROPOUT, HIDDEN, SIDE, WIDTHS
from sightline.models.cnn import SimpleCNN


def make_network(num_classes: int = CLASSES) -> SimpleCNN:
    """Sightline's small convolutional network, whose input is (B, 3, SIDE, SIDE)."""
    return SimpleCNN(num_classes, 3, SIDE, WIDTHS, HIDDEN, DROPOUT)


def pick_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
