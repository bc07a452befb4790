"""The setup of a training: data, model and module, built from the config in that order.

The number of classes comes from the data, the preprocessing from the model.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from pytorch_lightning import Callback

from sightline.config.components import build
from sightline.config.open_batch import as_decided
from sightline.config.schema import TrainConfig
from sightline.data.cache.digests import contents_of_splits
from sightline.data.cache.images import cache_images
from sightline.data.cache.skipped import SkippedSample
from sightline.data.checks import check_columns
from sightline.data.from_config import apply_label_mode, read_source
from sightline.data.image_sizes import ImageSizes
from sightline.data.loading.datamodule import ImageDataModule
from sightline.data.loading.from_augment import build_augmentation
from sightline.data.pixels import choose_pixels
from sightline.data.source_data import SourceData, Split
from sightline.data.statistics import describe_data, sample_images
from sightline.label_modes.base import LabelMode
from sightline.metrics.fitted_tuning import check_val
from sightline.metrics.tuning import check_aim
from sightline.models.build import build_classifier
from sightline.models.classifier import Classifier
from sightline.training.batches import decide
from sightline.training.callbacks import user_callbacks
from sightline.training.devices import uses_gpu
from sightline.training.feature_cache import use_cached_features
from sightline.training.given import NOTHING, Given
from sightline.training.identity import data_digests, make_identity
from sightline.training.lightning_compat import progress_in
from sightline.training.logging.report import check_sections
from sightline.training.methods.build import build_method
from sightline.training.methods.teacher import Teachers
from sightline.training.module import LitClassifier
from sightline.training.optimizers import Optimizers
from sightline.training.plan_checks import check_before_data, check_plan
from sightline.training.schedules import Schedulers
from sightline.training.speed import Speed, choose_speed, speed_of
from sightline.training.trials import MakeModule, train_on, training_device
from sightline.training.weights_of_run import model_with_file
from sightline.types import DatasetInfo, PixelSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """The parts of a training, ready to run.

    Attributes:
        config: with numbers in place of what was left open; `decided`: these, as parameters.
        sizes: of a sample of the training images.
        data_digests: of each split's content; of a stream, what is known before.
        make_module: another module around a classifier.
        parameters: of the module; a strategy may share them out later.
    """

    config: TrainConfig
    decided: dict[str, str]
    source: SourceData
    splits: dict[str, Split]
    contents: dict[str, np.ndarray]
    skipped: list[SkippedSample]
    info: DatasetInfo
    sizes: ImageSizes
    label_mode: LabelMode
    datamodule: ImageDataModule
    module: LitClassifier
    callbacks: list[Callback]
    speed: Speed
    data_digests: dict[str, str]
    make_module: MakeModule
    parameters: int

    @property
    def training_images(self) -> int:
        """How many an epoch has; of a stream as the data set states."""
        stream = self.source.stream
        return len(self.splits["train"]) if stream is None else stream.samples


def set_up(
    config: TrainConfig, overrides: Iterable[str] = (), given: Given = NOTHING,
    speed: Speed | None = None, before: Mapping[str, str] | None = None, world_size: int = 1,
) -> Setup:  # fmt: skip
    """Build the parts of one training.

    Args:
        config: the whole config.
        overrides: of the command line; one that has no effect on this data is refused.
        given: parts that Python code gives in place of a config's.
        speed: as it was chosen; None: it is chosen now.
        before: parameters of the run that is resumed.
        world_size: processes that train together.

    Raises:
        UserError: a part cannot be built from what the config says.
    """
    speed = speed or choose_speed(config)
    teachers = Teachers(config.tracking.uri, tuple(config.plugins), before or {})
    check_before_data(config, teachers, world_size)
    callbacks = user_callbacks(config, given.callbacks)
    source, pixels, label_mode, splits, contents = _read(config, overrides, given)
    common = config.data_common
    sample = sample_images(source, common, pixels)
    info = describe_data(source, sample, label_mode.class_names, common, pixels)
    classifier, speed = _classifier(config, info, label_mode, given, speed, before or {})
    spec = classifier.preprocess
    sizes = ImageSizes.of(sample)
    augment = build_augmentation(config, spec, sizes)
    cached_images, splits, skipped = cache_images(
        splits, contents, spec, common, source.name, uses_gpu(config.trainer), augment.form
    )
    targets = None if source.stream else splits["train"].targets
    data = data_digests(source, splits, contents)
    make = partial(_module, label_mode=label_mode, targets=targets, splits=splits, info=info,
                   data=data, teachers=teachers, speed=speed)  # fmt: skip
    trial = partial(train_on, make, config, classifier, speed.precision)
    place = training_device(config), cached_images.device_bytes
    decided = decide(config, before or {}, world_size, targets, *place, trial)
    config = as_decided(config, decided)
    datamodule = ImageDataModule(splits, cached_images, spec, augment, label_mode,
                                 config.data_common, config.seed, progress_in,
                                 source.stream)  # fmt: skip
    module = make(config, classifier)
    use_cached_features(config, classifier, module.own_method, datamodule)
    check_plan(config, module)
    check_sections(config.report, config.plugins)
    return Setup(config, decided, source, splits, contents, skipped, info, sizes, label_mode,
                 datamodule, module, callbacks, speed, data, make,
                 sum(parameter.numel() for parameter in module.parameters()))  # fmt: skip


def _read(
    config: TrainConfig, overrides: Iterable[str], given: Given
) -> tuple[SourceData, PixelSpec, LabelMode, dict[str, Split], dict[str, np.ndarray]]:
    """The source, its pixels, the mode of its labels, its splits, and digests of their images."""
    source = read_source(config, overrides, given.data)
    label_mode, splits = apply_label_mode(config, source)
    check_aim(label_mode, config.tuning)
    check_val(label_mode, splits["val"].targets, splits["val"].metadata, config.tuning)
    contents = contents_of_splits(splits)
    for problem in check_columns(splits, contents, label_mode):
        log.warning("%s (`sightline doctor` shows more.)", problem.message)
    source, pixels = choose_pixels(source, config.data_common)
    return source, pixels, label_mode, splits, contents


def _classifier(
    config: TrainConfig, info: DatasetInfo, label_mode: LabelMode, given: Given, speed: Speed,
    before: Mapping[str, str],
) -> tuple[Classifier, Speed]:  # fmt: skip
    """The model for this data, and how it computes."""
    classifier = build_classifier(
        model_with_file(config), config.model_input, info, label_mode.num_outputs, config.plugins,
        given.network,
    )  # fmt: skip
    speed = speed_of(speed, config, classifier.network, before)
    speed.apply(classifier.network)
    return classifier, speed


def _module(
    config: TrainConfig, classifier: Classifier, label_mode: LabelMode, targets: np.ndarray | None,
    splits: dict[str, Split], info: DatasetInfo, data: dict[str, str], teachers: Teachers,
    speed: Speed,
) -> LitClassifier:  # fmt: skip
    """The module; `targets` are those of train, None where it is streamed; `data`: digests."""
    offered = {
        "label_mode": label_mode,
        "num_classes": len(label_mode.class_names),
        "train_targets": targets,
    }
    criterion = build(config.loss, "loss", config.plugins, offered=offered)
    return LitClassifier(
        classifier,
        label_mode,
        criterion,
        ids={name: split.ids for name, split in splits.items()},
        make_optimizer=Optimizers(config, speed.fused),
        make_scheduler=Schedulers(config),
        method=build_method(config, offered | {"classifier": classifier, "teachers": teachers}),
        identity=make_identity(config, label_mode, info, classifier.preprocess, data)
        | {"channels_last": speed.channels_last},
        plugins=config.plugins,
    )
