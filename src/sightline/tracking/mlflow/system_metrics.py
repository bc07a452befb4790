"""Metrics of the machine during a run: CPU, memory, disk, network and GPU."""

import contextlib
import threading

from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from sightline.errors import UserError
from sightline.runs.journal.file import JournalWriter, read_journal
from sightline.runs.journal.records import MetricsRecord


class SystemMetricsMonitor(threading.Thread):
    """Samples MLflow's own monitors into a journal until `stop` is called.

    Args:
        journal: the journal.
        interval_s: between samples.
    """

    def __init__(self, journal: JournalWriter, interval_s: float) -> None:
        super().__init__(name="system metrics", daemon=True)
        self.journal = journal
        self.interval_s = interval_s
        self._stopped = threading.Event()
        self._monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        with contextlib.suppress(Exception):  # MLflow raises where there is no GPU
            self._monitors.append(GPUMonitor())

    def run(self) -> None:
        """Sample, and once more at the end, so that a short run has a sample too."""
        step = sum(1 for _ in read_journal(self.journal.path))
        running = True
        while running:
            running = not self._stopped.wait(self.interval_s)
            try:
                self.journal.append(MetricsRecord(metrics=self._sample(), step=step))
            except UserError:  # a full disk, a lost lock: the training reports it itself
                return
            step += 1

    def stop(self) -> None:
        """Take the last sample and end."""
        self._stopped.set()
        self.join(timeout=10)

    def _sample(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            found |= {f"system/{k}": float(v) for k, v in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        return found
