"""GPUs shared out among the children of a comparison by CUDA_VISIBLE_DEVICES: each sees its own and no others.

    >>> devices = visible_devices()             # ["2", "3"] under CUDA_VISIBLE_DEVICES=2,3
    >>> least_used(["2", "3"], in_use=["2"], count=1)
    ['3']
    >>> default_jobs(["2", "3"], num_processes=1)
    2

A child that saw all of them would use the first one, or spread every batch over all (torch's DataParallel).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from stepalign.core.errors import ConfigError

VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_devices() -> list[str]:
    """The CUDA devices this process may use, as `VISIBLE` names them: by number, or as an outer `VISIBLE` does.

    torch asks NVML for their number, so that nothing is set up on a device.
    """
    import torch

    count = torch.cuda.device_count()
    outer = os.environ.get(VISIBLE)
    names = [str(i) for i in range(count)] if outer is None else [name.strip() for name in outer.split(",")]
    return names[:count]  # what follows a name that is no device is not visible


def check_num_processes(num_processes: int, devices: Sequence[str]) -> None:
    """Raises ConfigError where there are GPUs, but not one for each process."""
    if devices and num_processes > len(devices):
        raise ConfigError(
            f"num_processes is {num_processes}, one GPU each, and {len(devices)} are visible. "
            f"Lower it, or show more of them by {VISIBLE}."
        )


def default_jobs(devices: Sequence[str], num_processes: int) -> int:
    """As many children at a time as fit, at least one: a process a GPU, or a core on a CPU (small models gain little
    from more threads); one child on any other accelerator."""
    from stepalign.models.loading import best_device

    if not devices and best_device().type != "cpu":
        return 1
    return max(1, (len(devices) or os.cpu_count() or 1) // num_processes)


def least_used(devices: Sequence[str], in_use: Iterable[str], count: int) -> list[str]:
    """The `count` devices that occur least in `in_use`, the first of equals: free ones before any is shared."""
    times = Counter(in_use)
    return sorted(devices, key=lambda device: times[device])[:count]
