"""Where and with what the numbers were measured."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

import psutil

from stepalign.core.environment import describe_environment

BUSY = 0.25  # load a core, before anything was measured, above which wall times mean little


def describe_machine(threads: int | None = None) -> dict[str, Any]:
    """Processor, cores, memory, threads (torch's own number where none is given), and the load before measuring."""
    import torch

    return {
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "num_cores": os.cpu_count(),
        "num_threads": threads or torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": load(),
    }


def versions() -> dict[str, Any]:
    environment = describe_environment()
    return {"python": environment["python"], **environment["packages"]}


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def load() -> float | None:
    """The load average of the last minute, where there is one."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def is_busy() -> bool:
    return (load() or 0.0) > BUSY * (os.cpu_count() or 1)
