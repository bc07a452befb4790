"""The name of a run's folder, on which all processes of one launch agree."""

import hashlib
import os

from sightline.cluster.ranks import rank
from sightline.cluster.slurm import own_job
from sightline.errors import UserError
from sightline.paths import stamp


def run_name(arguments: list[str]) -> str:
    """A name for a run's folder that no other run has.

    It is the same for all processes of one launch, and for a Slurm job that is requeued.

    Args:
        arguments: the words of the command after `train`.

    Raises:
        UserError: there are other processes, and no store to agree with them.
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
    """The Slurm job step that runs this command; None where a person typed it."""
    job, step = own_job(), os.environ.get("SLURM_STEP_ID")
    if job is None or os.isatty(0):
        return None
    if step is not None:
        return f"{job}.{step}"
    return job if os.environ.get("ENVIRONMENT") == "BATCH" else None


def _first_value(key: str, value: str) -> str:
    """The value that the first of torchrun's processes set, also before torchrun restarted them."""
    from torch.distributed import TCPStore  # imports torch, which takes a second

    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(host, port, is_master=False)
    return bytes(store.compare_set(key, "", value)).decode()
