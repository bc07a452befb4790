"""fastai: a Learner over ImageDataLoaders, with augmentation of whole batches."""

from fastai.callback.core import Callback
from fastai.data.transforms import Normalize
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from fastai.torch_core import set_seed
from fastai.vision.augment import Flip
from fastai.vision.data import ImageDataLoaders

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.network import make_network
from benchmarks.bench_peers.task import BATCH, FLIP, LR, MEAN, STD, WEIGHT_DECAY, Task

ROWS = {"fastai": "fastai"}
PACKAGES = ("fastai",)


class ClockOfLearner(Callback):
    """The times of a training by fastai."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def before_train(self) -> None:
        """Begin the epoch."""
        self.clock.start_epoch()
        self.images = 0

    def after_batch(self) -> None:
        """Note the first step, and count the images."""
        if self.learn.training:
            self.clock.step()
            self.images += len(self.learn.yb[0])

    def after_train(self) -> None:
        """End the epoch's steps."""
        self.clock.end_epoch(self.images)


def train(task: Task, clock: Clock) -> float:
    """Train and validate; the val accuracy after the last epoch."""
    set_seed(0)
    loaders = ImageDataLoaders.from_folder(
        task.images, train="train", valid="val", bs=BATCH, num_workers=task.workers,
        batch_tfms=[Flip(FLIP), Normalize.from_stats(MEAN, STD)],
    )  # fmt: skip
    learner = Learner(
        loaders, make_network(), CrossEntropyLossFlat(), lr=LR, wd=WEIGHT_DECAY, metrics=accuracy,
        cbs=ClockOfLearner(clock),
    )  # fmt: skip
    learner.fit(task.epochs)
    return float(learner.recorder.values[-1][-1])
