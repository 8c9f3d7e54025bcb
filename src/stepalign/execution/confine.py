"""What a process gives up before it runs code that nobody has read."""

from __future__ import annotations

import math
import os
import resource
from dataclasses import dataclass

from stepalign.execution import landlock, linux, namespaces, seccomp

MAX_FILE_BYTES = 16 << 20
MAX_OPEN_FILES = 64
MAX_THREADS = 64


@dataclass(frozen=True)
class Fences:
    """What holds programs back on this system, besides limits.

    Attributes:
        namespaces: they have a root, a network and processes of their own.
        seccomp: they may not make certain calls.
        landlock: in place of a root of their own, they may open only what they may read anyway.
    """

    namespaces: bool
    seccomp: bool
    landlock: bool

    @property
    def is_linux(self) -> bool:
        """Whether there is any fence at all."""
        return self.namespaces or self.seccomp or self.landlock

    @property
    def missing(self) -> list[str]:
        """What programs are not held back from, in words."""
        walls = [
            (self.namespaces or self.landlock, "reading and changing files of this user"),
            (self.namespaces or self.seccomp, "the network"),
            (self.namespaces or self.seccomp, "starting, and ending, other processes of this user"),
        ]
        return [what for is_there, what in walls if not is_there]


@dataclass(frozen=True)
class Limits:
    """Of one program: seconds, of the processor and by the clock, and megabytes of address space."""

    timeout_s: float
    memory_limit_mb: int

    @property
    def cpu_s(self) -> int:
        """Seconds of the processor, of which the kernel counts whole ones: never the first limit to be met."""
        return math.ceil(self.timeout_s) + 1


def limit_server(limits: Limits, fences: Fences) -> None:
    """Set the limits that a program inherits from the process that forks it."""
    for name, most in _limits(limits, fences).items():
        _set_limit(name, most)
    if fences.is_linux:
        linux.forgo_privileges()
    if fences.seccomp:
        seccomp.prepare()


def confine(limits: Limits, fences: Fences) -> None:
    """Set the program's last limit, and put up the fences, for this process and for good."""
    _set_limit("RLIMIT_CPU", limits.cpu_s)
    if fences.namespaces:
        namespaces.become_nobody()
    if fences.is_linux and os.getuid() == 0:  # another user has lost them with his number
        linux.drop_capabilities()
    if fences.landlock:
        landlock.allow_reading(namespaces.readable_paths())
    if fences.seccomp:
        seccomp.refuse()


def limit_judge(limits: Limits) -> None:
    """The judge runs the tests' own code: it gets more than the program, and not everything."""
    _set_limit("RLIMIT_AS", max(limits.memory_limit_mb, 2048) << 20)


def _limits(limits: Limits, fences: Fences) -> dict[str, int]:
    own_count = {"RLIMIT_NPROC": MAX_THREADS} if fences.namespaces else {}  # else all of the user's would be counted
    return {
        "RLIMIT_AS": limits.memory_limit_mb << 20,
        "RLIMIT_FSIZE": MAX_FILE_BYTES if fences.namespaces else 0,
        "RLIMIT_NOFILE": MAX_OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_MSGQUEUE": 0,
        **own_count,
    }


def _set_limit(name: str, most: int) -> None:
    kind = getattr(resource, name, None)  # macOS has not all of them
    if kind is None:
        return
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    try:
        resource.setrlimit(kind, (most, most))
    except (ValueError, OSError):
        if os.uname().sysname == "Linux":
            raise
