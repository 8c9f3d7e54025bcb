"""A place of its own for programs: no network, no processes but theirs, a file system of Python and nothing else.

A user namespace gives a user without privileges what mounting takes: neither root nor a set-uid helper is needed. In
the new root lie, read-only, Python's library with the installed packages, the system's shared libraries, and three
devices; /sandbox is empty, small, in memory, and the only place to write to. There is no /proc.

Source: namespaces(7), user_namespaces(7), pid_namespaces(7); the order of mounts is bubblewrap's.
"""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from stepalign.execution import linux
from stepalign.execution.linux import MS_BIND, MS_NODEV, MS_NOSUID, MS_PRIVATE, MS_REC

NOBODY = 65534
WORK_DIR = "/sandbox"
WORK_OPTIONS = "size=64m,nr_inodes=1024,mode=1777"
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_ALL = (
    linux.CLONE_NEWUSER | linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS
)  # fmt: skip


def python_paths() -> list[str]:
    """Where modules are found: the standard library and the installed packages, and nothing of the user's own."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    places = {sysconfig.get_path(name) for name in names}
    places |= {sysconfig.get_path(name, vars={"base": sys.base_prefix, "platbase": sys.base_prefix}) for name in names}
    dynload = {str(Path(place) / "lib-dynload") for place in places}
    return [place for place in sys.path if place in places | dynload and os.path.exists(place)]


def readable_paths() -> list[str]:
    """What a program may read."""
    library = sysconfig.get_config_var("LIBDIR")  # of libpython, where Python is built with one
    is_own = library and library.startswith(sys.base_prefix) and sys.base_prefix != "/usr"
    return [*SYSTEM, *python_paths(), *([library] if is_own else [])]


def run_inside(main: Callable[[int], None], say_failed: Callable[[OSError], None]) -> int:
    """Run `main` in new namespaces, as process 1 of them, and wait for it.

    Args:
        main: takes an open file of its namespace of processes, for `fork_inside`.
        say_failed: is told, in the new process, why there is no new root.
    Returns:
        Its exit code. All that it started is gone by then.
    Raises:
        OSError: the system does not give them.
    """
    paths = {path: os.path.realpath(path) for path in (*DEVICES, *readable_paths()) if os.path.exists(path)}
    _enter_user_namespace()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
            own = os.open("/proc/self/ns/pid", os.O_RDONLY)
            _build_root(paths)
            main(own)
            code = 0
        except OSError as error:
            say_failed(error)
        finally:
            os._exit(code)
    return wait_and_end(pid)


def wait_and_end(pid: int) -> int:
    """Wait for a child; on SIGTERM it is killed first, with all that is in its namespace."""

    def end(*_: object) -> None:
        os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fork_inside(home: int) -> int:
    """Fork a child that is process 1 of a namespace of its own: when it ends, so does all that it started.

    Args:
        home: an open file of this process's own namespace of processes.
    """
    linux.unshare(linux.CLONE_NEWPID)  # for children
    pid = os.fork()
    if pid:
        linux.setns(home, linux.CLONE_NEWPID)
    return pid


def renew_work_dir() -> None:
    """Empty the work directory, if anything was left in it."""
    if os.listdir(WORK_DIR):
        linux.unmount(WORK_DIR)
        linux.mount("tmpfs", WORK_DIR, "tmpfs", MS_NOSUID | MS_NODEV, WORK_OPTIONS)
        os.chdir(WORK_DIR)  # until now in the one that was taken away


def become_nobody() -> None:
    """Give up the user of the namespace, where another one is there."""
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:  # a user without privileges has only himself to map
        pass


def _enter_user_namespace() -> None:
    """Unshare, while a child that stays outside says who is who inside."""
    parent, user, group = os.getpid(), os.getuid(), os.getgid()
    ready, tell = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        os.close(tell)
        code = 1
        try:
            if os.read(ready, 1):
                _map_ids(parent, user, group)
                code = 0
        finally:
            os._exit(code)
    os.close(ready)
    try:
        linux.unshare(_ALL)
        os.write(tell, b"x")
    finally:
        os.close(tell)
        failed = os.waitpid(mapper, 0)[1]
    if failed:
        raise PermissionError("users cannot be mapped into a user namespace")


def _map_ids(pid: int, user: int, group: int) -> None:
    process = Path(f"/proc/{pid}")
    nobody = f"\n{NOBODY} {NOBODY} 1" if user == 0 else ""
    if user != 0:
        (process / "setgroups").write_text("deny")
    (process / "uid_map").write_text(f"0 {user} 1{nobody}")
    (process / "gid_map").write_text(f"0 {group} 1{nobody}")


def _build_root(paths: dict[str, str]) -> None:
    """Mount a root that holds these paths; those that are links with what they lead to."""
    linux.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    linux.mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    os.mkdir("/tmp/old")
    linux.pivot_root("/tmp", "/tmp/old")
    os.chdir("/")
    for path, real in paths.items():
        if real != path and not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(real, path)
        if not os.path.exists(real):  # else within what is there
            _bind(real, read_only=path not in DEVICES)
    os.makedirs(WORK_DIR, exist_ok=True)
    linux.mount("tmpfs", WORK_DIR, "tmpfs", MS_NOSUID | MS_NODEV, WORK_OPTIONS)
    linux.unmount("/old")
    os.rmdir("/old")
    linux.make_read_only("/", recursive=False)
    os.chdir(WORK_DIR)


def _bind(path: str, read_only: bool) -> None:
    source = Path(f"/old{path}")
    if source.is_dir():
        os.makedirs(path)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
    linux.mount(str(source), path, flags=MS_BIND | MS_REC)
    if read_only:
        linux.make_read_only(path, recursive=True)
