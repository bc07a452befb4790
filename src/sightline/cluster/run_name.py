"""How several processes that were launched together agree on the folder of their one run."""

import hashlib
import os

from sightline.cluster.ranks import rank
from sightline.cluster.slurm import own_job
from sightline.errors import UserError
from sightline.paths import stamp


def run_name(arguments: list[str]) -> str:
    """A name for a run's folder that no other run takes.

    It is the same for all processes of one launch, and for a job of Slurm that is started again.

    Args:
        arguments: the words of the command after `train`.

    Raises:
        UserError: there are others, and no way to hear from them.
    """
    step = _slurm_step()
    if step is not None:
        digest = hashlib.blake2b("\0".join(arguments).encode(), digest_size=3).hexdigest()
        return f"slurm/{step}-{digest}"
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 and rank() == 0:
        return stamp()
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        return _first_value("sightline/run", stamp())
    raise UserError(
        "Of processes that were not started by srun or torchrun each would make a folder of its "
        "own. Give hydra.run.dir=FOLDER, the same for all."
    )


def _slurm_step() -> str | None:
    """The part of a Slurm job that runs this command; None where a person types it."""
    job, step = own_job(), os.environ.get("SLURM_STEP_ID")
    if job is None or os.isatty(0):
        return None
    if step is not None:
        return f"{job}.{step}"
    return job if os.environ.get("ENVIRONMENT") == "BATCH" else None


def _first_value(key: str, value: str) -> str:
    """What the first of torchrun's processes says of a key, also before torchrun restarted them."""
    from torch.distributed import TCPStore  # takes a second, which training would take anyway

    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(host, port, is_master=False)
    return bytes(store.compare_set(key, "", value)).decode()
