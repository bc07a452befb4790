"""The schedules of learning rates, one file each; configs name the first two by this package."""

from sightline.training.schedulers.warmed_up import constant as constant
from sightline.training.schedulers.warmed_up import cosine as cosine
