"""Which files a program may open where it cannot be given a root of its own: those below some directories, to read.

Landlock needs no privileges. Source: Documentation/userspace-api/landlock.rst of Linux.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from stepalign.execution.linux import syscall

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION, _BENEATH = 1, 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # how many kinds of access each version knows


def is_available() -> bool:
    """Whether the kernel has it."""
    try:
        return syscall(_CREATE, None, 0, _VERSION) >= 1
    except OSError:
        return False


def allow_reading(paths: Iterable[str]) -> None:
    """Let this process open nothing but what lies below these paths, and that to read only.

    Raises:
        OSError: the kernel refuses; privileges must be dropped first.
    """
    version = syscall(_CREATE, None, 0, _VERSION)
    rights = (1 << _RIGHTS.get(version, 16)) - 1
    attributes = ctypes.create_string_buffer(struct.pack("Q", rights), 8)
    rules = syscall(_CREATE, attributes, 8, 0)
    for path in filter(os.path.exists, paths):
        fd = os.open(path, os.O_PATH)
        allowed = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        allowed |= _EXECUTE  # shared libraries are mapped to be executed
        syscall(_ADD, rules, _BENEATH, ctypes.create_string_buffer(struct.pack("=Qi", allowed, fd), 12), 0)
        os.close(fd)
    syscall(_RESTRICT, rules, 0)
    os.close(rules)
