"""Tags of MLflow runs, experiments and models that Sightline writes or reads.

The module imports nothing: every room may use it, without MLflow.
"""

# The origin of a run.
RUN_KEY = "run_key"  # unique: finds a run whose creation was not confirmed
RUN_FOLDER = "run_folder"
COMMAND = "command"
USER = "mlflow.user"
SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"
GIT_COMMIT = "mlflow.source.git.commit"
GIT_DIRTY = "git.dirty"

# The purpose of a run, and its relation to others.
KIND = "kind"  # a training's run has none
KIND_SWEEP = "sweep"
KIND_EVALUATION = "evaluation"
KIND_IMPORT = "import"  # predictions that were made elsewhere
KIND_PROBE = "probe"  # a simple classifier on the features of a frozen backbone
SWEEP = "sweep"  # the name of the sweep that a job belongs to
SWEEP_NAME = "sweep.name"  # the same, of the sweep's own run
EVALUATES = "evaluates"  # the id of a run, or the path of a checkpoint
ENSEMBLE = "ensemble"  # the ids of the runs that it is the mean of
REPRODUCES = "reproduces"  # the id, or the folder, of the run that is trained again

# The end of a run.
ERROR = "error"
REAPED = "reaped"  # the evidence that the process of the run is gone
PRUNED = "pruned"

# The results of a run.
NOTE = "mlflow.note.content"
DECISION_RULE = "decision_rule"  # in words, with its thresholds
MODEL = "model"  # the best checkpoint as a model: models:/ID
LOOKS = "test.looks"  # how often the test split was evaluated

CHECKPOINT = "checkpoint"  # of a probe: true where its model is kept
BACKBONE = "model.digest"  # the parameter of a probe with the digest of its backbone
# The parameter of a probe with the settings that val chose, in words.
CHOSEN = "probe_settings"

# The config without seed, fold and what has no influence: `sightline.config.influence`.
GROUP = "group"  # the parameter with its name for people and the first digits of its digest
GROUP_DIGEST = "group.digest"  # a tag: a run that is resumed with other values gets another one

# Of a logged model: the time of its record in ms, so that no record makes two models.
RECORD_MS = "told_ms"

EXPERIMENT_KIND = "mlflow.experimentKind"


def evaluated_digest(name: str) -> str:
    """The tag with the digest of the data that was evaluated under a name."""
    return f"evaluated.{name}"


def evaluated_seen(name: str) -> str:
    """The tag that says how many images under a name were in the run's train or val."""
    return f"evaluated.{name}.seen"


def result(split: str, metric: str) -> str:
    """The tag with a result as it is read: rounded, with its interval."""
    return f"{split} {metric}"


def shared_view(key: str) -> str:
    """The tag of an experiment with the state of a shared view, as MLflow's UI stores it."""
    return f"mlflow.sharedViewState.{key}"
