"""What Lightning, callbacks and tracking cost: Sightline's loop beside a hand-written one.

Both train the same model over the same loader with the same optimizer, in alternating epochs in
one process; the ratio of images per second is taken round by round, so that a drift of the
machine's speed cancels. Run: python benchmarks/overhead.py [rounds] [overrides]
"""

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from sightline.config.compose import compose_job
from sightline.config.schema import Job, TrainConfig
from sightline.runs.folder import RunFolder
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker
from sightline.training.callbacks import checkpoint_callbacks
from sightline.training.logging.epochs import EpochLogger
from sightline.training.logging.progress import progress_callbacks
from sightline.training.logging.start import log_description, start_run
from sightline.training.quiet import quiet_libraries
from sightline.training.setup import Setup, set_up
from sightline.training.signals import Signals
from sightline.training.trainer import build_trainer


def hand_written_epoch(setup: Setup) -> float:
    """Images per second of the loop that one would write without a framework."""
    label_mode, criterion = setup.label_mode, setup.module.criterion
    augment = setup.datamodule.batch_augmentation or torch.nn.Identity()
    model = setup.module.classifier.train()
    optimizer = setup.module.make_optimizer(setup.module)
    loader = setup.datamodule.train_dataloader()
    loss_sum, correct, samples = 0.0, 0, 0
    start = time.perf_counter()
    for batch in loader:
        logits = model(augment(batch["image"]))
        loss = criterion(*label_mode.loss_inputs(logits, batch["target"]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(batch["target"])
        correct += int((label_mode.decide(label_mode.probs(logits)) == batch["target"]).sum())
        samples += len(batch["target"])
    return samples / (time.perf_counter() - start)


def sightline_epoch(config: TrainConfig, job: Job, setup: Setup) -> float:
    """Images per second of a real fit, tracked in MLflow with system metrics on."""
    folder = RunFolder(job.output_dir)
    connection = SenderClient(config.tracking, folder, continue_offline=False)
    connection.wait_until_ready()
    tracker = Tracker(folder)
    folder.freeze(config, job)
    start_run(tracker, connection)
    log_description(tracker, setup, 1)
    callbacks = [
        *checkpoint_callbacks(config, folder, Signals()),
        EpochLogger(tracker, connection),
        *progress_callbacks(),
    ]
    trainer = build_trainer(config, callbacks, folder, setup.speed.precision)
    trainer.fit(setup.module, datamodule=setup.datamodule)
    tracker.finish("FINISHED")
    connection.close()
    return setup.module.epoch_metrics["train/images_per_second"]


def main(rounds: int, overrides: list[str]) -> None:
    """Print the two medians and the median of the ratios."""
    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        own = [f"tracking.uri=sqlite:///{folder}/mlflow.db", "trainer.max_epochs=1"]
        config, job = compose_job([*own, *overrides])
        setup = set_up(config)
        pairs = []
        for round_ in range(rounds + 1):
            job = replace(job, output_dir=Path(folder) / str(round_))
            by_hand, sightline = hand_written_epoch(setup), sightline_epoch(config, job, setup)
            if round_ > 0:  # the first one warms up
                pairs.append((by_hand, sightline))
    by_hand = statistics.median(pair[0] for pair in pairs)
    ours = statistics.median(pair[1] for pair in pairs)
    ratios = sorted(pair[1] / pair[0] for pair in pairs)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds")
    print(f"hand-written  {by_hand:8.0f} images/s (median)")
    print(f"sightline     {ours:8.0f} images/s (median)")
    middle = statistics.median(ratios)
    print(f"ratio         {middle:8.3f} (min {ratios[0]:.3f}, max {ratios[-1]:.3f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11, sys.argv[2:])
