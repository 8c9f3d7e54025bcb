"""A child process that answers lines with lines, and is killed when an answer does not come in time.

It is for one caller at a time; only `close` may come from another thread. A subclass says how it is started. It should
end when its input does, so that it does not outlive a parent that was killed.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time


class LineProcess:
    """The parent's side."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = threading.Lock()  # between a start here and a close in another thread
        self._owner = 0

    @property
    def pid(self) -> int | None:
        """The id of the process, None while there is none."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process, if any, for good; whoever waits for an answer in another thread gets none."""
        with self._lock:
            self._closed = True
        self._kill()

    def _spawn(self) -> subprocess.Popen[str]:
        raise NotImplementedError

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Make it end, at once; it is waited for afterwards."""
        process.kill()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            self._end(process)
            process.communicate()

    def _running(self) -> subprocess.Popen[str] | None:
        """The process, if it was started here and lives."""
        if self._owner != os.getpid():  # a fork has the parent's pipes: two callers would read each other's replies
            self._process = None
        if self._process is not None and self._process.poll() is not None:
            self._kill()
        return self._process

    def _started(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._closed:
                raise RuntimeError("this worker is closed")
            process = self._process = self._spawn()
            self._owner = os.getpid()
        return process

    def _exchange(self, process: subprocess.Popen[str], line: str | None, limit_s: float) -> str | None:
        """Send a line, if any, and read one; None, and the process is dead or dying, if none came in time."""
        assert process.stdin and process.stdout
        start = time.monotonic()
        timer = threading.Timer(limit_s, self._end, (process,))
        timer.daemon = True
        timer.start()
        try:
            if line is not None:
                process.stdin.write(line + "\n")
                process.stdin.flush()
            reply = process.stdout.readline()
        except (OSError, ValueError):  # it died before it read the line, or another thread closed it
            return None
        except BaseException:  # Ctrl-C: a late reply must not answer the next question
            self._kill()
            raise
        finally:
            timer.cancel()
        # a reply in the last instant may have met the timer's kill
        return reply.strip() if reply and time.monotonic() - start < limit_s else None
