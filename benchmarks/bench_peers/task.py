"""The job that every peer does: the same images, network, batch, optimizer and augmentation."""

from dataclasses import dataclass

BATCH = 128
LR = 0.001  # of AdamW, constant
WEIGHT_DECAY = 0.01
FLIP = 0.5  # probability; with normalisation the whole augmentation
SIDE = 32  # pixels
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
CLASSES = 10
WIDTHS, HIDDEN, DROPOUT = (32, 64), 128, 0.25  # the network of model=cnn


@dataclass(frozen=True)
class Task:
    """What one process trains.

    Attributes:
        images: folder that holds train/CLASS/*.jpg and val/CLASS/*.jpg.
        epochs: of the training.
        workers: processes of a loader that reads files.
        started: when the process was started, in seconds since 1970.
        row: the peer's row, where its file has several.
        timm_train: path of timm's train.py, which is not in its wheel.
    """

    images: str
    epochs: int
    workers: int
    started: float
    row: str
    timm_train: str | None = None
