"""Memory format and precision on a CPU: the CPU time of a training step of some of timm's networks.

`python benchmarks/formats.py [ROUNDS]`, one thread; the least of the rounds, without the first. The
values of `model.channels_last=auto` and `trainer.precision=auto` on a CPU follow from it.
"""

import copy
import itertools
import sys
import time

import timm
import torch
from torch import Tensor, nn

NETWORKS = (  # name, side, images of a step
    ("resnet18", 64, 32), ("resnet18", 128, 16), ("resnet50", 96, 8), ("regnety_002", 96, 16),
    ("densenet121", 64, 8), ("vgg11", 64, 8), ("convnext_atto", 96, 16),
    ("tf_efficientnet_lite0", 96, 16), ("efficientnet_b0", 96, 16),
    ("mobilenetv3_small_100", 96, 16), ("vit_tiny_patch16_224", 224, 8),
    ("swin_tiny_patch4_window7_224", 224, 2),
)  # fmt: skip
FORMATS = (torch.contiguous_format, torch.channels_last)


def step_s(network: nn.Module, images: Tensor, targets: Tensor, half: bool) -> float:
    """Seconds of CPU of one forward and backward pass."""
    start = time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = nn.functional.cross_entropy(network(images).float(), targets)
    loss.backward()
    network.zero_grad()
    return time.process_time() - start


def measure(name: str, side: int, size: int, rounds: int) -> str:
    """A row of the table: ms an image, and how many times as fast the other forms are."""
    plain = timm.create_model(name, num_classes=10)
    images, targets = torch.randn(size, 3, side, side), torch.randint(0, 10, (size,))
    kinds = list(itertools.product(FORMATS, (False, True)))
    networks = [copy.deepcopy(plain).to(memory_format=form) for form, _ in kinds]
    times: list[list[float]] = [[] for _ in kinds]
    for _ in range(rounds):
        for (_, half), network, found in zip(kinds, networks, times, strict=True):
            found.append(step_s(network, images, targets, half))
    base, by_half, by_last, by_both = (min(found[1:]) for found in times)
    return (
        f"| {name} | {side} | {1000 * base / size:.1f} | {base / by_last:.2f} | "
        f"{base / by_half:.2f} | {base / by_both:.2f} |"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    print("| network | side | 32 bits, ms an image | channels_last | bf16 | both |")
    print("|---|---:|---:|---:|---:|---:|")
    for network_name, pixels, batch in NETWORKS:
        print(measure(network_name, pixels, batch, count), flush=True)
