"""What stands in the tests for the functions and objects of the program, which are in another process.

A `Remote` can be called, looked into and iterated over. It equals nothing but itself, whatever the program says.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from stepalign.execution.channel import Channel
from stepalign.execution.values import read_value, write_value
from stepalign.execution.verdicts import Verdict, failed, failure_of

MAX_CALLBACKS = 100_000
UNREADABLE = failed("Exit", "an answer that cannot be read")


class Stopped(BaseException):
    """No test can go on. Without a verdict: the program is gone. `test` is which test it was, if one had begun."""

    def __init__(self, verdict: Verdict | None = None, test: dict[str, str] | None = None) -> None:
        self.verdict = verdict
        self.test = test or {}


class Session:
    """Questions to the program and their answers.

    Attributes:
        stopped: why it can answer no more; None while it can.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._functions: list[Callable[..., object]] = []
        self._known: Mapping[str, Callable[[Any], object]] = {
            "object": lambda wire: Remote(self, int(wire[0]), str(wire[1])),
            "module": _module,
            "function": lambda number: self._functions[number],
        }
        self.stopped: Stopped | None = None

    def load(self, sources: list[list[str]], names: list[str]) -> dict[str, object]:
        """Run the program's code; the values of those names that it has defined.

        Raises:
            Stopped: it raised, or is gone.
        """
        reply = self._ask({"load": sources, "names": names})
        if "error" in reply:
            self._stop(failure_of(reply["error"]))
        try:
            return {name: self._named(name, wire) for name, wire in reply["names"].items() if name in names}
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError):
            self._stop(UNREADABLE)

    def _named(self, name: str, wire: Any) -> object:
        """A name's value; where it is that of a module, the judge's own copy, whatever the program made of it."""
        return _module(name) if name in sys.stdlib_module_names else read_value(wire, self._known)

    def do(self, operation: str, *on: object) -> Any:
        """An operation of `stepalign.execution.program` on values.

        Raises:
            Stopped: the program is gone, or its time is.
            Exception: what it raised, as its nearest builtin type, with the verdict as `verdict`.
        """
        reply = self._ask({"do": operation, "on": [self._write(value) for value in on]})
        try:
            if "error" in reply:
                raise _raised(reply["error"])
            if "arguments" in reply:
                _update(on[1:], read_value(reply["arguments"], self._known))
            return read_value(reply["value"], self._known)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
            if hasattr(error, "verdict"):
                raise
            self._stop(UNREADABLE)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if self.stopped is not None:
            raise self.stopped
        try:
            self._channel.send(question)
            for _ in range(MAX_CALLBACKS):
                reply: object = self._channel.receive()
                if not isinstance(reply, dict):
                    break
                answer = cast("dict[str, Any]", reply)
                if "callback" not in answer:
                    return answer
                self._channel.send(self._called_back(answer))
        except TimeoutError:
            self._stop({"outcome": "timeout"})
        except (ValueError, RecursionError) as error:
            self._stop(failed("OutputLimit", f"a result that cannot be passed on: {error}"))
        except OSError:
            pass
        self._stop(None)

    def _called_back(self, message: dict[str, Any]) -> dict[str, Any]:
        """Call a function of the test's that the program was given."""
        try:
            args, kwargs = read_value(message["on"], self._known)
            return {"value": self._write(self._functions[message["callback"]](*args, **kwargs))}
        except Exception as error:
            builtin = next(base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins")
            return {"error": {"builtin": builtin, "message": str(error)}}

    def _write(self, value: object) -> Any:
        return write_value(value, self._refer)

    def _refer(self, value: object) -> Any:
        if isinstance(value, Remote):
            return {"object": [object.__getattribute__(value, "_number"), ""]}
        if callable(value):
            self._functions.append(value)
            return {"function": len(self._functions) - 1}
        self._stop(failed("UnsupportedTest", f"a test hands over a {type(value).__name__}; that cannot be passed on"))

    def _stop(self, verdict: Verdict | None) -> NoReturn:
        self.stopped = Stopped(verdict)
        raise self.stopped


class Remote:
    """An object of the program."""

    __slots__ = ("_number", "_session", "_type")

    def __init__(self, session: Session, number: int, kind: str) -> None:
        for name, value in (("_session", session), ("_number", number), ("_type", kind)):
            object.__setattr__(self, name, value)

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """What the program returns."""
        return self._session.do("call", self, list(args), kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__name__":  # libraries ask for these, and trust what they get
            raise AttributeError(name)
        return self._session.do("getattr", self, name)

    def __setattr__(self, name: str, value: object) -> None:
        self._session.do("setattr", self, name, value)

    def __getitem__(self, key: object) -> Any:
        return self._session.do("getitem", self, key)

    def __iter__(self) -> Any:
        return self._session.do("iter", self)

    def __next__(self) -> Any:
        return self._session.do("next", self)

    def __len__(self) -> int:
        return int(self._session.do("len", self))

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return str(self._session.do("str", self))

    def __repr__(self) -> str:
        return f"<{self._type} of the program>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and self._number == other._number

    def __hash__(self) -> int:
        return hash(self._number)


def _module(name: object) -> object:
    """The judge's own copy of a module of the standard library."""
    if str(name).partition(".")[0] not in sys.stdlib_module_names:
        raise ValueError(f"{name} is no module of the standard library")
    return importlib.import_module(str(name))


def _raised(told: Any) -> BaseException:
    verdict = failure_of(told)
    kind = getattr(builtins, str(told["builtin"]), Exception)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = RuntimeError  # SystemExit and its like are none of the test's business
    try:
        error = kind(verdict["message"])
    except TypeError:  # UnicodeDecodeError and its like want more
        error = RuntimeError(verdict["message"])
    error.verdict = verdict  # pyright: ignore[reportAttributeAccessIssue]
    return error


def _update(ours: tuple[object, ...], theirs: Any) -> None:
    """Change lists, sets and dictionaries that the program was given as it changed its copies."""
    (args, kwargs), (new_args, new_kwargs) = ours, theirs
    pairs = [*zip(cast("list[Any]", args), new_args, strict=True)]
    pairs += [(value, new_kwargs[key]) for key, value in cast("dict[str, Any]", kwargs).items()]
    for old, new in pairs:
        if type(old) is not type(new) or old == new:
            continue
        if isinstance(old, list | bytearray):
            old[:] = cast("Any", new)
        elif isinstance(old, dict | set):
            old.clear()
            cast("Any", old).update(new)
