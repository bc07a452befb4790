"""Checks of a training's plan: before data is read, and with the model before the first step."""

from sightline.config.schema import TrainConfig
from sightline.data.loading.from_augment import mixed_epochs
from sightline.data.loading.size_schedule import size_schedule
from sightline.errors import UserError, did_you_mean
from sightline.metrics.values import metric_names
from sightline.training.batches import check_open
from sightline.training.methods.build import check_method
from sightline.training.methods.teacher import Teachers
from sightline.training.module import LitClassifier
from sightline.training.optimizers import Optimizers
from sightline.training.param_group_checks import check_network, check_patterns
from sightline.training.param_groups import freeze, named_parameters
from sightline.training.schedule_free import check_schedule_free, check_statistics, is_schedule_free
from sightline.training.schedules import Schedulers
from sightline.training.size_checks import check_sizes
from sightline.training.stand_in import check_on_stand_in


def check_before_data(config: TrainConfig, teachers: Teachers, world_size: int = 1) -> None:
    """Find what is wrong with method, optimizer, groups and schedule before anything is read.

    Args:
        config: of the training.
        teachers: finds the teacher of a distillation.
        world_size: processes that train together.

    Raises:
        UserError: names it.
    """
    check_open(config, world_size)
    size_schedule(config)
    mixed_epochs(config)
    check_method(config, teachers)
    check_schedule_free(config)
    Schedulers(config).check(Optimizers(config).check())
    check_on_stand_in(config)


def check_plan(config: TrainConfig, module: LitClassifier) -> None:
    """Find a wrong optimizer, scheduler or monitor now, not an epoch into the fit.

    Raises:
        UserError: names it.
    """
    if is_schedule_free(config):
        check_statistics(module)
    module.classifier.check_batch(config.data_common.images_a_batch)
    check_sizes(size_schedule(config), module.classifier)
    common = config.optimizer_common
    check_network(module.classifier.network, common)
    check_patterns(named_parameters(module), common)
    freeze(module, common)
    Schedulers(config).check(module.make_optimizer(module))
    known = [f"val/{name}" for name in ("loss", *metric_names(module.label_mode, config.plugins))]
    if config.monitor not in known:
        raise UserError(
            f"monitor={config.monitor}: label_mode={module.label_mode.name} has no such metric."
            f"{did_you_mean(config.monitor, known)} It has: {', '.join(sorted(known))}."
        )
