"""Memory and GPU use of a process and its children, sampled while it runs."""

import threading
import time
from collections.abc import Iterable
from statistics import fmean

import psutil
import pynvml

PERIOD_S = 0.5
MIB = 2**20


class Watch(threading.Thread):
    """Samples until the process has ended.

    Args:
        pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.root = psutil.Process(pid)
        self.peak_mib = self.gpu_peak_mib = 0.0
        self.gpu_use: list[tuple[float, float]] = []  # moment, percent
        self.ended = threading.Event()
        self.gpu = _first_gpu()

    def run(self) -> None:
        """Sample twice a second."""
        while not self.ended.wait(PERIOD_S):
            self.peak_mib = max(self.peak_mib, memory_mib(self.root))
            if self.gpu is not None:
                used = pynvml.nvmlDeviceGetMemoryInfo(self.gpu).used / MIB
                self.gpu_peak_mib = max(self.gpu_peak_mib, used)
                use = pynvml.nvmlDeviceGetUtilizationRates(self.gpu).gpu
                self.gpu_use.append((time.time(), use))

    def gpu_percent(self, periods: Iterable[tuple[float, float]]) -> float | None:
        """Mean use of the GPU within these periods; None: there were no samples."""
        spans = list(periods)
        inside = [use for t, use in self.gpu_use if any(a <= t <= b for a, b in spans)]
        return fmean(inside) if inside else None


def memory_mib(root: psutil.Process) -> float:
    """What the process and its children hold; on Linux with shared pages counted once."""
    total = 0.0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return total
    for process in family:
        try:
            info = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has just ended
            continue
        total += getattr(info, "pss", info.rss) / MIB
    return total


def _first_gpu() -> object | None:
    """NVML's handle of the first GPU; None: there is none."""
    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByIndex(0)
    except pynvml.NVMLError:
        return None
