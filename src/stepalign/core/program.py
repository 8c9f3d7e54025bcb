r"""Find the program in a response, wherever a model puts it, and split it into steps: its lines.

- Thinking is passed over.
- A fence opens with three or more backticks or tildes at the start of a line and closes with as many alone on one, or
  at the end of one if what is before is Python only then; one that is cut off runs to the end of the text. Blocks that
  say they are of another language than Python are passed over.
- Of several blocks the last that defines the function asked for wins; where none does, or none is asked for, the last
  that is Python, of those that say so if any does; else the last.
- Without a fence the inside of a last `<answer>`, else the text: all of it where it is Python that does something, or
  from its first line of Python to the line where prose begins again behind a blank line. A text that goes on where the
  problem's prompt ends, as base models write it, is a `completion`.

    >>> find_code("Sure:\n```python\ndef f(x):\n    return x\n```\nIt returns x.", "f")
    Code(text='def f(x):\n    return x\n', start=16, is_completion=False)
    >>> find_code("    return x + 1\n", "f", prompt="def f(x):\n")
    Code(text='    return x + 1\n', start=0, is_completion=True)
    >>> find_code("I do not know.", "f") is None
    True

A step of a program is one of its lines that is not blank, with its indent and without the white space at its end; its
comments are part of it. What a line of a program spans over several ones is several steps. A response without a program
is split like any other.

    >>> [step.text for step in program_trace("Sure:\n```python\ndef f(x):\n\n    return x\n```", "f").steps]
    ['def f(x):', '    return x']
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from stepalign.core.trace import ANSWER_CLOSE, ANSWER_OPEN, Step, Trace, parse_trace, strip_thinking

MAX_CODE_CHARS = 100_000
_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})([^\n`]*)$", re.MULTILINE)
_LINE = re.compile(r"(?:[^\S\n]*\S)+")  # without white space at its end
_PYTHON = {"python", "python3", "py", "py3", "python2", "pycon", "ipython"}
_STATEMENT = re.compile(
    r"^(?:(?:async )?def \w|class \w|@\w|from [\w.]+ import |import \w|if __name__|(?:for|while|with|if|try)\b.*:\s*$|"
    r"[A-Za-z_][\w.\[\]]*(?:, *\w+)* *[-+*/]?= *\S|(?:print|input)\()",
    re.MULTILINE,
)
_PROSE = re.compile(r"\n[ \t]*\n(?=[A-Z*#>-][^\n(=\[]*[a-z])")


class Code(NamedTuple):
    """A program as its solver wrote it; `start` is its first character's offset in the response. A completion goes on
    where the prompt ends."""

    text: str
    start: int
    is_completion: bool = False


class Block(NamedTuple):
    """What stands in a fence; `says_python`: the fence names the language."""

    text: str
    start: int
    says_python: bool


def find_code(
    text: str, entry_point: str | None = None, *, prompt: str = "", thinking_open: bool = False
) -> Code | None:
    """The program in a response, None where there is none.

    Args:
        text: the response, with or without its thinking.
        entry_point: the function that the problem asks for.
        prompt: the problem's text, which a completion goes on from if it is Python.
        thinking_open: the prompt ended inside `<think>`; a response that never closes it has no program.
    """
    body = strip_thinking(text, thinking_open=thinking_open)
    offset = text.rfind(body) if body else 0
    blocks = fenced_blocks(body)
    found = _chosen(blocks, entry_point) if blocks else _unfenced(body, entry_point, prompt)
    if found is None or not found.text.strip() or len(found.text) > MAX_CODE_CHARS:
        return None
    is_completion = found.is_completion
    if blocks and not _defines(found.text, entry_point):
        is_completion = _continues(prompt, found.text)
    return Code(found.text, found.start + offset, is_completion)


def program_trace(text: str, entry_point: str | None = None, prompt: str = "") -> Trace:
    """A response that is or holds a program, its lines as the steps; see the module. Never raises.

    Args:
        entry_point, prompt: as for `find_code`.
    """
    code = find_code(text, entry_point, prompt=prompt)
    if code is None or not text.startswith(code.text, code.start):  # an indented fence: offsets are not its own
        return parse_trace(text)
    steps: list[Step] = []
    for line in _LINE.finditer(text, code.start, code.start + len(code.text)):
        steps.append(Step(len(steps) + 1, len(steps) + 1, line[0], line.start()))
    edges = [0, *(edge for step in steps for edge in (step.start, step.end)), len(text)]
    gaps = tuple(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
    return Trace(tuple(steps), gaps, "code")


def render_program(lines: Sequence[str]) -> str:
    """Lines of a program in a fence."""
    return "\n".join(("```python", *lines, "```"))


def fenced_blocks(text: str) -> list[Block]:
    """The blocks between fences that may be Python, in order."""
    blocks: list[Block] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[2].startswith(opened[2]) and not fence[3].strip():
            blocks += _block(text, opened, fence.start())
            opened = None
    if opened is not None:
        blocks += _block(text, opened, len(text))
    return blocks


def joined(prompt: str, completion: str) -> str:
    """A prompt with what goes on where it ends; a first line that has lost its indent gets it back."""
    program = prompt + completion
    if parses(program) or not completion or completion[0] in " \t\n":
        return program
    indented = f"{prompt}    {completion}"
    return indented if parses(indented) else program


def parses(source: str) -> bool:
    """Whether it is Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings
            compile(source, "<code>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _does_something(source: str) -> bool:
    """Whether a text is Python that has a statement or a call, and no line that only happens to be Python, as words of
    prose may: `Done`, `Answer: 42`."""
    if not parses(source):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    if any(_may_be_prose(node) for node in tree.body):
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body)


def _may_be_prose(node: ast.stmt) -> bool:
    is_word = isinstance(node, ast.Expr) and isinstance(node.value, ast.Name | ast.Tuple)
    return is_word or (isinstance(node, ast.AnnAssign) and node.value is None)


def _block(text: str, opened: re.Match[str], end: int) -> list[Block]:
    words = opened[3].strip().lower().split()
    language = words[0].strip("{}.") if words else ""
    start = min(opened.end() + 1, end)
    content = text[start:end]
    at_end = re.search(rf"{opened[2]}[ \t]*$", content, re.MULTILINE)
    if at_end and not parses(content):
        content = content[: at_end.start()]
    if language and language not in _PYTHON:
        return []
    return [Block(textwrap.dedent(content) if opened[1] else content, start, bool(language))]


def _chosen(blocks: Sequence[Block], entry_point: str | None) -> Code:
    defining = [block for block in blocks if _defines(block.text, entry_point)]
    named = [block for block in blocks if block.says_python] or blocks
    block = (defining or [block for block in named if parses(block.text)] or named)[-1]
    return Code(block.text, block.start)


def _unfenced(body: str, entry_point: str | None, prompt: str) -> Code | None:
    text, start = _answered(body)
    if not _defines(text, entry_point) and _continues(prompt, text):
        return Code(text, start, True)
    if _does_something(text):
        return Code(text, start)
    first = _STATEMENT.search(text)
    if first is None:
        return None
    code = text[first.start() :]
    for end in [*(prose.start() + 1 for prose in _PROSE.finditer(code)), len(code)]:
        if parses(code[:end]) and (entry_point is None or _defines(code[:end], entry_point)):
            code = code[:end]
            break
    is_code = parses(code) or (entry_point is not None and _defines(code, entry_point))
    return Code(code, start + first.start()) if is_code else None


def _answered(body: str) -> tuple[str, int]:
    """The inside of the last `<answer>` and where it begins; all of the text where there is none."""
    opened = list(ANSWER_OPEN.finditer(body))
    if not opened:
        return body, 0
    start = opened[-1].end()
    close = ANSWER_CLOSE.search(body, start)
    return body[start : close.start() if close else len(body)], start


def _continues(prompt: str, text: str) -> bool:
    """Whether a text goes on where a prompt of Python ends, inside its last function."""
    return bool(prompt.strip()) and bool(text.strip()) and not parses(text) and parses(joined(prompt, text))


def _defines(source: str, name: str | None) -> bool:
    return name is not None and bool(
        re.search(
            rf"^(?:(?:async )?def|class) +{re.escape(name)}\b|^{re.escape(name)} *(?::[^=\n]+)?=(?!=)", source, re.M
        )
    )
