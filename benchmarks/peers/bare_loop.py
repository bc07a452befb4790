"""The limit: bare steps over a tensor that is ready on the device, nothing else."""

from contextlib import nullcontext
from pathlib import Path

import torch
from PIL import Image
from torch.nn import functional
from torchvision.datasets import ImageFolder
from torchvision.transforms.v2.functional import normalize, pil_to_tensor

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.network import make_network, pick_device
from benchmarks.bench_peers.task import BATCH, LR, MEAN, STD, WEIGHT_DECAY, Task

ROWS = {
    "bare": "Limit: bare loop over a ready tensor, 32 bit",
    "bare_bf16": "Limit: the same, channels_last, fused, bf16",
}
PACKAGES = ()


def train(task: Task, clock: Clock) -> float:
    """Train without augmentation and validate; the val accuracy after the last epoch."""
    fast = task.row == "bare_bf16"
    form = torch.channels_last if fast else torch.contiguous_format
    device = pick_device()
    torch.manual_seed(0)
    images, targets = read_split(task, "train", device, form)
    model = make_network().to(device, memory_format=form)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=fast or None
    )
    half = torch.autocast(device.type, torch.bfloat16) if fast else nullcontext()
    for _ in range(task.epochs):
        clock.start_epoch()
        for chosen in torch.randperm(len(images), device=device).split(BATCH):
            with half:
                loss = functional.cross_entropy(model(images[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clock.step()
        clock.end_epoch(len(images))
    images, targets = read_split(task, "val", device, form)
    with torch.inference_mode():
        return float((model.eval()(images).argmax(1) == targets).float().mean())


def read_split(
    task: Task, split: str, device: torch.device, form: torch.memory_format
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised images (N, 3, SIDE, SIDE) and classes (N,)."""
    files = ImageFolder(str(Path(task.images) / split)).samples
    pixels = torch.stack([pil_to_tensor(Image.open(file)) for file, _ in files])
    images = normalize(pixels / 255, MEAN, STD).to(device, memory_format=form)
    return images, torch.tensor([target for _, target in files], device=device)
