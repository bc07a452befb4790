"""The keys that may differ when a run is resumed or reproduced."""

# All others would be ignored, or change the result.
MAY_CHANGE = (
    "tracking", "checkpoint", "sweep", "evaluate_test", "trainer.max_epochs", "trainer.accelerator",
    "trainer.devices", "trainer.strategy", "trainer.num_nodes", "data.num_workers", "data.cache",
    "data.cache_max_gib", "data.root", "data.path", "data.download",
    "method.teacher",
)  # fmt: skip
