"""Lightning alone, with MLflow's logger: a module and a loader as its guide writes them."""

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import MLFlowLogger
from torch.nn import functional
from torchmetrics.classification import MulticlassAccuracy

from benchmarks.bench_peers.clock import Clock
from benchmarks.bench_peers.folders import make_loader
from benchmarks.bench_peers.lightning_clock import ClockCallback
from benchmarks.bench_peers.network import make_network
from benchmarks.bench_peers.task import CLASSES, LR, WEIGHT_DECAY, Task

ROWS = {"lightning": "Lightning alone, MLflow's logger"}
PACKAGES = ("pytorch_lightning", "mlflow")

Pair = tuple[torch.Tensor, torch.Tensor]


class Classifier(pl.LightningModule):
    """The network with its loss and accuracy."""

    def __init__(self) -> None:
        super().__init__()
        self.model = make_network()
        self.accuracy = MulticlassAccuracy(CLASSES, average="micro")

    def training_step(self, batch: Pair, batch_idx: int) -> torch.Tensor:
        """The loss of one batch."""
        image, target = batch
        loss = functional.cross_entropy(self.model(image), target)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Pair, batch_idx: int) -> None:
        """Log loss and accuracy."""
        image, target = batch
        logits = self.model(image)
        self.accuracy(logits, target)
        self.log("val/loss", functional.cross_entropy(logits, target))
        self.log("val/accuracy", self.accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, as all peers use it."""
        return torch.optim.AdamW(self.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)


def train(task: Task, clock: Clock) -> float:
    """Train and validate; the val accuracy after the last epoch."""
    pl.seed_everything(0)
    trainer = pl.Trainer(
        max_epochs=task.epochs,
        logger=MLFlowLogger("peers", tracking_uri="sqlite:///mlflow.db"),
        callbacks=[ClockCallback(clock)],
    )
    trainer.fit(Classifier(), make_loader(task, "train"), make_loader(task, "val"))
    return float(trainer.callback_metrics["val/accuracy"])
