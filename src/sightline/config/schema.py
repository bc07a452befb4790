"""The config's types and cross-checks. YAML owns the values; errors name the field and the fix."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, PositiveFloat, PositiveInt

from sightline.config.augment_keys import AugmentConfig
from sightline.config.fine_tuning_keys import FineTuningConfig
from sightline.config.fit_keys import CheckpointConfig, EarlyStoppingConfig, EmaConfig, SwaConfig
from sightline.config.optimizer_keys import OptimizerConfig
from sightline.config.speed_keys import OPEN_PRECISIONS, ModelSpeedConfig, TrainerSpeedConfig
from sightline.config.tuning_schema import TuningConfig
from sightline.config.validation import Node, Strict, ascending, colour, pick, validate, without

DRAW = "data.draw_seed"
REPLICATES = ("seed", "data.fold", DRAW)  # runs that differ in these alone are of one group


@dataclass(frozen=True)
class Job:
    """A job beside its config: where it writes, and by which command.

    Attributes:
        output_dir: its own folder.
        choices: the option picked of each config group.
        overrides: as Hydra read them.
        sweep: the name of the sweep that it is a job of, or None.
        command: as it was typed.
        arguments: the words after `train` that make this job alone.
        reproduces: the run that is trained again, or None.
        apart: overrides in which it differs from jobs of its sweep; empty where each has a name.
    """

    output_dir: Path
    choices: dict[str, str]
    overrides: list[str]
    sweep: str | None
    command: str
    arguments: list[str]
    reproduces: str | None = None
    apart: list[str] = field(default_factory=list)

    @property
    def in_sweep(self) -> bool:
        """Whether it is one job of several."""
        return self.sweep is not None


class TrackingConfig(Strict):
    """Where and as what a run is logged; register_as: the key `register`, which pydantic has."""

    model_config = ConfigDict(validate_by_name=True)

    uri: str | None
    experiment: Annotated[str, Field(min_length=1)]
    run_name: str | None
    register_as: Annotated[str, Field(pattern=r"^[^/:%]+$")] | None = Field(alias="register")
    offline: Literal["auto"] | bool
    start_timeout_s: PositiveFloat
    flush_timeout_s: PositiveFloat
    system_metrics_interval_s: PositiveFloat | None
    every_n_steps: PositiveInt | None = None  # configs of before have no such key


ImgSize = PositiveInt | tuple[PositiveInt, PositiveInt]
Channels = Annotated[list[int | str], Field(min_length=1)]


class DataConfig(Strict):
    """The part of `data` that is the same for every source (`conf/data_common.yaml`)."""

    split_seed: Annotated[int, Field(ge=0, lt=2**32)]
    split_by: Literal["seed", "hash", "content"]
    val_fraction: Annotated[float, Field(gt=0, lt=1)]
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    folds: Annotated[int, Field(ge=2)] | None
    fold: Annotated[int, Field(ge=0)]
    split_file: str | None
    train_fraction: Annotated[float, Field(gt=0, le=1)] | None
    per_class: PositiveInt | None
    draw_seed: Annotated[int, Field(ge=0, lt=2**32)]
    batch_size: Literal["auto"] | PositiveInt
    effective_batch_size: PositiveInt | None  # of batch_size=auto alone
    num_workers: Literal["auto"] | Annotated[int, Field(ge=0)]
    cache: Literal["auto", "none", "ram", "disk", "device"]
    cache_max_gib: PositiveFloat
    on_error: Literal["raise", "skip"]
    max_skipped_fraction: Annotated[float, Field(ge=0, le=1)]
    background: Annotated[str, AfterValidator(colour)]
    decode: Literal["exact", "fast"]
    geometry: Literal["auto", "crop", "squash", "pad", "letterbox"] | None
    bits: Literal["auto"] | Annotated[int, Field(ge=8, le=16)]
    range: Annotated[list[float], AfterValidator(ascending)] | None
    channels: Literal["auto", "all", "first", "last", "rgba"] | Channels | None
    sampler: Literal["shuffle", "balanced"]
    img_size_schedule: list[tuple[Annotated[int, Field(ge=0)], ImgSize]] | None

    @property
    def images_a_batch(self) -> int:
        """The batch size of a training, which `auto` has become before images are loaded."""
        assert isinstance(self.batch_size, int)
        return self.batch_size

    @property
    def fractions(self) -> dict[str, float]:
        """Share of all samples for each split that may be made here."""
        return {"val": self.val_fraction, "test": self.test_fraction}


class ModelInputConfig(Strict):
    """The part of `model` that is the same for every model: what it is given to see."""

    in_chans: PositiveInt | None = None
    img_size: ImgSize | None = None
    max_img_size: PositiveInt | None = None


# What a model itself is not given.
MODEL_COMMON = (ModelInputConfig, FineTuningConfig, ModelSpeedConfig)


class SweepConfig(Strict):
    """The end of a sweep (`-m`): no job is started after `max_failures` failed; null: all are."""

    max_failures: PositiveInt | None


class TrainConfig(Strict):
    """The whole config of one training."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    monitor: str
    monitor_mode: Literal["min", "max"] | None
    early_stopping: EarlyStoppingConfig
    checkpoint: CheckpointConfig
    ema: EmaConfig
    swa: SwaConfig
    evaluate_test: Literal["auto"] | bool
    plugins: list[str]
    data: Node
    label_mode: Node
    model: Node
    augment: AugmentConfig
    mix: Node  # empty: nothing is mixed
    mix_off_epochs: Annotated[int, Field(ge=0)]
    loss: Node
    method: Node
    callbacks: list[Node]
    optimizer: Node
    scheduler: Node
    trainer: Node
    tracking: TrackingConfig
    report: dict[str, Node]  # sections of report.html by name
    tuning: TuningConfig
    lr_finder: bool
    sweep: SweepConfig

    @property
    def data_common(self) -> DataConfig:
        """The part of `data` that every source has."""
        return validate(DataConfig, pick(self.data, DataConfig), "data.")

    @property
    def optimizer_common(self) -> OptimizerConfig:
        """The part of `optimizer` that every optimizer has."""
        return validate(OptimizerConfig, pick(self.optimizer, OptimizerConfig), "optimizer.")

    @property
    def model_input(self) -> ModelInputConfig:
        """The input's part of `model`."""
        return validate(ModelInputConfig, pick(self.model, ModelInputConfig), "model.")

    @property
    def fine_tuning(self) -> FineTuningConfig:
        """The part of `model` about pretrained weights."""
        return validate(FineTuningConfig, pick(self.model, FineTuningConfig), "model.")

    @property
    def model_speed(self) -> ModelSpeedConfig:
        """The part of `model` that says how it computes."""
        return validate(ModelSpeedConfig, pick(self.model, ModelSpeedConfig), "model.")

    @property
    def trainer_speed(self) -> TrainerSpeedConfig:
        """The part of `trainer` that is not Lightning's."""
        return validate(TrainerSpeedConfig, pick(self.trainer, TrainerSpeedConfig), "trainer.")

    @property
    def trainer_arguments(self) -> Node:
        """The part of `trainer` that is Lightning's, without what the device decides."""
        own = without(self.trainer, TrainerSpeedConfig)
        return {
            key: value
            for key, value in own.items()
            if key != "precision" or value not in OPEN_PRECISIONS
        }
