"""The environment stamp of a run: what it ran on and with, so that its numbers can be placed."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

PACKAGES = ("stepalign", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "mpmath", "numpy")


def describe_environment() -> dict[str, Any]:
    """Python, machine, and versions of the packages that results depend on."""
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "num_cores": os.cpu_count(),
        "packages": versions,
    }
