"""The program's side: a process that runs code nobody has read, and answers what its judge asks of it.

Nothing here is to be trusted once the code runs, and nothing has to be: what the process can reach decides nothing. It
was forked before any test was read; it sees the arguments of one call at a time, and answers with values.

    {"load": [[source, name]], "names": ["add"]}    -> {"names": {"add": {"object": [0, "function"]}}}
    {"do": "call", "on": [add, [2, 2], {}]}         -> {"value": 4}, or {"error": {...}}
    {"run": source}                                 -> {"done": true}, or {"error": {...}}
"""

from __future__ import annotations

import atexit
import builtins
import json
import operator
import os
import sys
import threading
from collections.abc import Callable, Mapping
from types import ModuleType, TracebackType
from typing import Any, NoReturn

from stepalign.execution.channel import Channel
from stepalign.execution.values import MUTABLE, read_value, write_value

SOLUTION = "<solution>"  # the file's name of the solver's code in tracebacks
OUT_OF_MEMORY = 77  # the exit code where nothing can be said any more


def _call(function: Callable[..., object], args: Any, kwargs: Any) -> object:
    return function(*args, **kwargs)


OPERATIONS: Mapping[str, Callable[..., object]] = {
    "call": _call,
    "getattr": getattr,
    "setattr": setattr,
    "getitem": operator.getitem,
    "len": len,
    "iter": iter,
    "next": next,
    "str": str,
}


class Program:
    """What the code has made, by number for the judge."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._objects: list[object] = []
        self._numbers: dict[int, int] = {}
        self._known: dict[str, Callable[[Any], object]] = {
            "object": lambda wire: self._objects[wire[0]],
            "function": self._callback,
        }

    def serve(self) -> NoReturn:
        """Answer until the judge is gone."""
        while (message := self._channel.receive()) is not None:
            try:
                reply = self._answer(message)
            except BaseException as error:
                reply = {"error": told(error)}
            try:
                self._channel.send(reply)
            except ValueError as error:
                self._channel.send({"error": told(error)})
        os._exit(0)

    def _answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        if "load" in message:
            return {"names": self._load(message["load"], message["names"])}
        if "run" in message:
            run_whole(message["run"])
            return {"done": True}
        return self._do(message["do"], message["on"])

    def _load(self, sources: list[list[str]], names: list[str]) -> dict[str, Any]:
        for fd in (0, 1):
            os.dup2(2, fd)  # which leads nowhere: what functions print is nobody's business
        module = ModuleType("solution")
        sys.modules["solution"] = module
        for source, file in sources:
            exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)
        return {name: self._write(vars(module)[name]) for name in names if name in vars(module)}

    def _do(self, operation: str, wire: Any) -> dict[str, Any]:
        on = read_value(wire, self._known)
        reply = {"value": self._write(OPERATIONS[operation](*on))}
        if operation == "call" and any(isinstance(arg, MUTABLE) for arg in (*on[1], *on[2].values())):
            changed = self._write([on[1], on[2]])
            if json.dumps(changed) != json.dumps(wire[1:]):
                reply["arguments"] = changed
        return reply

    def _write(self, value: object) -> Any:
        return write_value(value, self._keep)

    def _keep(self, value: object) -> Any:
        if isinstance(value, ModuleType):
            return {"module": value.__name__}
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)  # kept, so that its id stays its own
        return {"object": [number, type(value).__name__]}

    def _callback(self, number: int) -> object:
        """A function of the test's, handed to the code: called over there."""

        def function(*args: object, **kwargs: object) -> object:
            self._channel.send({"callback": number, "on": self._write([args, kwargs])})
            reply = self._channel.receive()
            if "error" in reply:
                raise getattr(builtins, reply["error"]["builtin"])(reply["error"]["message"])
            return read_value(reply["value"], self._known)

        return function


def run_whole(source: str) -> None:
    """Run a program as Python runs a file: with its threads, its exit handlers and its output written out."""
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    try:
        exec(compile(source, SOLUTION, "exec", dont_inherit=True), main.__dict__)
        threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    except SystemExit as stop:
        if stop.code not in (None, 0):
            raise
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()


def told(error: BaseException) -> dict[str, Any]:
    """What an exception says, and the last line of the solver's code on its way."""
    bases = [base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins"]
    try:
        message = str(error)
    except Exception:
        message = ""
    if isinstance(error, SyntaxError) and error.filename == SOLUTION:
        message, line = error.msg, error.lineno
    else:
        line = last_line(error.__traceback__)
    return {"type": type(error).__name__, "builtin": bases[0], "message": message[:1000], "line": line}


def last_line(traceback: TracebackType | None) -> int | None:
    """The line of the innermost frame that is in the solver's code."""
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == SOLUTION:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def be_program(channel: Channel) -> NoReturn:
    """Serve in a process of its own, to its end."""
    try:
        Program(channel).serve()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    finally:
        os._exit(1)
