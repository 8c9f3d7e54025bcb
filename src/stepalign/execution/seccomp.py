"""Which system calls a program may not make: a filter that the kernel asks before every call (seccomp).

A program starts no process and no other program, signals and traces nobody, opens no socket, and touches neither
namespaces nor mounts nor the owners and modes of files. Threads are allowed. What is refused fails with EPERM, and
raises PermissionError in Python.

Source: Documentation/userspace-api/seccomp_filter.rst of Linux; numbers from its tables of system calls.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from functools import cache

from stepalign.execution.linux import MACHINE, PR_SET_SECCOMP, prctl

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
REFUSED = {  # name: numbers on x86_64 and aarch64
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "kcmp": (312, 272),
    "setpriority": (141, 140), "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "socket": (41, 198), "io_uring_setup": (425, 425), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40),
    "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "mount_setattr": (442, 442),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "personality": (135, 92),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54), "truncate": (76, 45), "utime": (132, None),
    "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
}  # fmt: skip
_CLONE, _CLONE3, _PRLIMIT = (56, 220), 435, (302, 261)
_CLONE_THREAD, _X32 = 0x00010000, 0x40000000

_LOAD, _IS, _IS_AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where they stand in the kernel's description of a call
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000


def is_available() -> bool:
    """Whether the numbers of this machine's system calls are known here."""
    return MACHINE in ARCHITECTURES


@cache
def prepare() -> tuple[ctypes.Array[ctypes.c_char], ctypes.Array[ctypes.c_char]]:
    """The filter as the kernel takes it, and its code: made once, before the processes that use it are forked."""
    code = b"".join(_rules())
    buffer = ctypes.create_string_buffer(code)
    return ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))), buffer


def refuse() -> None:
    """Let this process, and what it makes of itself, do none of these calls from now on; privileges are dropped first.

    Raises:
        OSError: the kernel has no filters.
    """
    prctl(PR_SET_SECCOMP, 2, prepare()[0])


def _rules() -> list[bytes]:
    """The filter, an instruction an item; a jump says how many are passed over if it holds, and if not."""
    column = list(ARCHITECTURES).index(MACHINE)
    refused, missing = _op(_RETURN, _ERROR | errno.EPERM), _op(_RETURN, _ERROR | errno.ENOSYS)
    rules = [
        _op(_LOAD, _ARCHITECTURE), _op(_IS, ARCHITECTURES[MACHINE], 1, 0), _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER), _op(_IS_AT_LEAST, _X32, 0, 1), refused,
    ]  # fmt: skip
    for numbers in REFUSED.values():
        if (number := numbers[column]) is not None:
            rules += [_op(_IS, number, 0, 1), refused]
    rules += [_op(_IS, _CLONE3, 0, 1), missing]  # its flags lie in memory: the C library then takes clone
    allowed = _op(_RETURN, _ALLOW)
    rules += [_op(_IS, _CLONE[column], 0, 4), _op(_LOAD, _FIRST_ARGUMENT), _op(_HAS_BITS, _CLONE_THREAD, 1, 0), refused]
    rules += [allowed]
    rules += [_op(_IS, _PRLIMIT[column], 0, 3), _op(_LOAD, _FIRST_ARGUMENT), _op(_IS, 0, 1, 0), refused]
    return [*rules, allowed]


def _op(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_so, if_not, value)
