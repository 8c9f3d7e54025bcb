"""The calls of Linux that Python 3.11 has no names for. Each raises OSError as the functions of `os` do.

Source: the manual pages (section 2) of the calls of the same names.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
MACHINE = platform.machine()
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR = 442  # on every machine, as all calls since Linux 5.1
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID = -100, 0x8000, 0x1, 0x2
_CAPABILITY_VERSION = 0x20080522


@cache
def libc() -> ctypes.CDLL:
    """The C library."""
    return ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave the namespaces that the flags name for new ones."""
    _checked("unshare", libc().unshare(flags))


def setns(fd: int, kind: int) -> None:
    """Enter the namespace of an open file of /proc/PID/ns."""
    _checked("setns", libc().setns(fd, kind))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system, or bind a path to another."""
    words = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _checked(f"mount {target}", libc().mount(*words))


def unmount(target: str) -> None:
    """Take a mount away, even where it is in use."""
    _checked(f"umount {target}", libc().umount2(target.encode(), MNT_DETACH))


def make_read_only(path: str, *, recursive: bool) -> None:
    """Make a mount read-only, and those within it, too."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    arguments = (_AT_FDCWD, path.encode(), flags, ctypes.byref(attributes), ctypes.sizeof(attributes))
    syscall(_MOUNT_SETATTR, *arguments)


def pivot_root(new: str, old: str) -> None:
    """Make a mount the root, and put the old root into it."""
    syscall(_PIVOT_ROOT[MACHINE], new.encode(), old.encode())


def prctl(option: int, *values: object) -> None:
    """Change something about this process."""
    padded = [*values, *[0] * (4 - len(values))]
    _checked("prctl", libc().prctl(option, *(ctypes.c_ulong(v) if isinstance(v, int) else v for v in padded)))


def forgo_privileges() -> None:
    """Let no program that is started from here on bring a privilege with it, here and in all children."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Give up every privilege of a root user."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _checked("capset", libc().capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())))


def syscall(number: int, *arguments: object) -> int:
    """A system call by its number."""
    values = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(f"system call {number}", libc().syscall(ctypes.c_long(number), *values))


def _checked(what: str, result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result
