"""`sightline doctor`: checks of config, data, model, store and machine before a training."""

from pathlib import Path

from sightline.config.command import Command
from sightline.config.options import Options, flag


class DoctorOptions(Options):
    """Options of `sightline doctor`."""

    output: str | None = flag(
        "folder for the report; by default doctor/ in the project", default=None, metavar="FOLDER"
    )


def run(options: DoctorOptions) -> int:
    """Check everything; 1 if a training would fail, or its numbers would be wrong.

    Raises:
        UserError: the overrides do not compose, or name what is not there.
    """
    from sightline.config.compose import compose_job
    from sightline.paths import project_root
    from sightline.training.early_checks import check_early

    check_early(compose_job(options.overrides)[0])
    from sightline.doctor.run import run_doctor

    folder = Path(options.output).absolute() if options.output else project_root() / "doctor"
    return 0 if run_doctor(options.overrides, folder) else 1


COMMAND = Command(
    help="check data, config and machine before a training",
    section="training",
    about="""\
Checks the config, every image, the splits, the model, the tracking store and the machine. The
report goes to the terminal and, with figures, to a folder; the exit status is 1 where there is an
error.""",
    examples={"sightline doctor data=folder data.root=PHOTOS": ""},
    options=DoctorOptions,
    overrides={"OVERRIDES": "as for `sightline train`"},
    others="anything",
    run=run,
)
