"""Keras on PyTorch: the same layers in its own words, over arrays that are decoded at the start."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from PIL import Image

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.task import (
    BATCH,
    CLASSES,
    DROPOUT,
    HIDDEN,
    LR,
    MEAN,
    SIDE,
    STD,
    WEIGHT_DECAY,
    WIDTHS,
    Task,
)  # fmt: skip

ROWS = {"keras": "Keras (on PyTorch), arrays in memory"}
PACKAGES = ("keras",)


class ClockOfFit(keras.callbacks.Callback):
    """The times of a training by Keras, whose epochs hold the validation."""

    def __init__(self, clock: Clock, images: int) -> None:
        super().__init__()
        self.clock, self.images = clock, images

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin the epoch."""
        self.clock.start_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note the first step."""
        self.clock.step()

    def on_test_begin(self, logs: Any = None) -> None:
        """End the epoch's steps."""
        self.clock.end_epoch(self.images)


def train(task: Task, clock: Clock) -> float:
    """Train and validate; the val accuracy after the last epoch."""
    keras.utils.set_random_seed(0)
    train_images, train_targets = read_split(Path(task.images) / "train")
    model = make_model()
    model.compile(
        keras.optimizers.AdamW(LR, weight_decay=WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        train_images, train_targets, batch_size=BATCH, epochs=task.epochs,
        validation_data=read_split(Path(task.images) / "val"),
        callbacks=[ClockOfFit(clock, len(train_images))],
    )  # fmt: skip
    return float(history.history["val_accuracy"][-1])


def make_model() -> keras.Model:
    """The layers of model=cnn, with flip and normalisation inside."""
    blocks = [
        layer
        for width in WIDTHS
        for layer in (
            layers.Conv2D(width, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)
        )
    ]  # fmt: skip
    return keras.Sequential([
        keras.Input((SIDE, SIDE, 3)),
        layers.RandomFlip("horizontal"),  # half of the images
        layers.Normalization(
            mean=[255 * each for each in MEAN], variance=[(255 * each) ** 2 for each in STD]
        ),
        *blocks, layers.Flatten(), layers.Dense(HIDDEN, activation="relu"),
        layers.Dropout(DROPOUT), layers.Dense(CLASSES),
    ])  # fmt: skip


def read_split(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, SIDE, SIDE, 3) of 0 to 255 and classes (N,)."""
    files = sorted(folder.glob("*/*.jpg"))
    names = sorted({file.parent.name for file in files})
    images = np.stack([np.asarray(Image.open(file)) for file in files])
    return images, np.array([names.index(file.parent.name) for file in files])
