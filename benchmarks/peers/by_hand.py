"""The loop that one writes without a framework, over torchvision's ImageFolder and a DataLoader."""

import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.folders import make_loader
from benchmarks.bench_peers.network import make_network, pick_device
from benchmarks.bench_peers.task import LR, WEIGHT_DECAY, Task

ROWS = {"by_hand": "Hand-written loop, torchvision's loader"}
PACKAGES = ()


def train(task: Task, clock: Clock) -> float:
    """Train and validate; the val accuracy after the last epoch."""
    device = pick_device()
    torch.manual_seed(0)
    train_loader, val_loader = (make_loader(task, split) for split in ("train", "val"))
    model = make_network().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    accuracy = 0.0
    for _ in range(task.epochs):
        clock.start_epoch()
        model.train()
        images = 0
        for image, target in train_loader:
            image, target = image.to(device), target.to(device)
            loss = functional.cross_entropy(model(image), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clock.step()
            images += len(target)
        clock.end_epoch(images)
        accuracy = validate(model, val_loader, device)
    return accuracy


@torch.inference_mode()
def validate(
    model: torch.nn.Module, loader: DataLoader[tuple[torch.Tensor, int]], device: torch.device
) -> float:
    """Share of right decisions."""
    model.eval()
    right = samples = 0
    for image, target in loader:
        right += int((model(image.to(device)).argmax(1) == target.to(device)).sum())
        samples += len(target)
    return right / samples
