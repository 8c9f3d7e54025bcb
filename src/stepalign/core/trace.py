"""A trace: a response split into steps and an answer, with exact character spans.

The solver is asked for `<step_1>…</step_1> … <answer>…</answer>`, but models write what they like, so every malformed
shape has a defined result:

- A step without a close tag ends where the next step, the answer or the text ends (`closed` is False).
- Numbers are kept as written; `index` counts from 1 in the order of appearance, whatever the gaps or repeats.
- Steps do not nest: an open tag inside a step ends that step. A close tag with nothing open is plain text.
- The last `<answer>` counts; one without a close tag runs to the end of the text.
- `<think>…</think>` is not part of the steps; an unclosed `<think>` hides all that follows it.
- Without step tags the paragraphs (split at blank lines) are the steps; with a single paragraph, its lines.

    >>> trace = parse_trace("<step_1>2 + 2 = 4</step_1><answer>4</answer>")
    >>> trace.steps[0].text, trace.answer
    ('2 + 2 = 4', '4')
    >>> trace.render()
    '<step_1>2 + 2 = 4</step_1><answer>4</answer>'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

STEP_TAG = re.compile(r"<\s*+(/?)\s*+step_(\d+)\s*+>", re.IGNORECASE)  # possessive: linear in the white space
ANSWER_OPEN = re.compile(r"<\s*+answer\s*+>", re.IGNORECASE)
ANSWER_CLOSE = re.compile(r"<\s*+/\s*+answer\s*+>", re.IGNORECASE)
# a tag that a sentence speaks of ("the <think> tag", "`</think>`") opens and closes nothing
_SPOKEN_OF = r"(?!\s+(?:tag|block|section|marker|token)s?\b)"
THINK_OPEN = re.compile(rf"<think>(?!(?<=[`'\"]<think>)[`'\"]){_SPOKEN_OF}", re.IGNORECASE)
THINK_CLOSE = re.compile(rf"</think>(?!(?<=[`'\"]</think>)[`'\"]){_SPOKEN_OF}", re.IGNORECASE)

Layout = Literal["tags", "paragraphs", "lines", "code", "empty"]


@dataclass(frozen=True)
class Step:
    """One step. `start` and `end` are character offsets of `text` in the response; the tags lie outside them."""

    index: int
    number: int
    text: str
    start: int
    open_tag: str = ""
    close_tag: str = ""

    @property
    def end(self) -> int:
        """Offset of the first character behind `text` in the response."""
        return self.start + len(self.text)

    @property
    def closed(self) -> bool:
        """Whether the step has a close tag, or needs none."""
        return bool(self.close_tag) or not self.open_tag


@dataclass(frozen=True)
class Trace:
    """A parsed response. `gaps` are the texts before, between and after the steps: one more than there are steps.

    `answer` is the stripped text of the last `<answer>`, None if there is none; `answer_start` and `answer_end` are its
    unstripped offsets. `layout` tells how the steps were found; those of a program (`core.program`) are code.
    """

    steps: tuple[Step, ...]
    gaps: tuple[str, ...]
    layout: Layout
    answer: str | None = None
    answer_start: int | None = None
    answer_end: int | None = None

    def render(self) -> str:
        """The response, character for character."""
        parts = [self.gaps[0]]
        for step, gap in zip(self.steps, self.gaps[1:], strict=True):
            parts += [step.open_tag, step.text, step.close_tag, gap]
        return "".join(parts)

    def step_at(self, start: int, end: int) -> Step | None:
        """The step whose text the span [start, end) overlaps first, None where it lies in tags, gaps or the answer."""
        return next((step for step in self.steps if start < step.end and end > step.start), None)


def parse_trace(text: str) -> Trace:
    """Split a response into steps and an answer; never raises (see the module for each malformed shape)."""
    body_start, body_end = _body(text)
    answer_tag = _last(ANSWER_OPEN, text, body_start, body_end)
    answer_start = answer_end = None
    if answer_tag is not None:
        answer_start = answer_tag.end()
        close = ANSWER_CLOSE.search(text, answer_start, body_end)
        answer_end = close.start() if close else body_end
    steps = _tagged_steps(text, body_start, body_end)
    layout: Layout = "tags"
    if not steps:
        steps, layout = _untagged_steps(text, body_start, answer_tag.start() if answer_tag else body_end)
    edges = [0]
    for step in steps:
        edges += [step.start - len(step.open_tag), step.end + len(step.close_tag)]
    edges.append(len(text))
    return Trace(
        steps=tuple(steps),
        gaps=tuple(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)),
        layout=layout,
        answer=None if answer_start is None else text[answer_start:answer_end].strip(),
        answer_start=answer_start,
        answer_end=answer_end,
    )


def strip_thinking(text: str, *, thinking_open: bool = False) -> str:
    """The response without its `<think>` blocks; what follows an unclosed one is thinking too.

    Args:
        thinking_open: the prompt ended inside `<think>`, so a response that does not close it is nothing but thinking.
    """
    if thinking_open and THINK_CLOSE.search(text) is None:
        return ""
    start, end = _body(text)
    return text[start:end]


def render_steps(steps: Sequence[str], answer: str | None = None) -> str:
    """Step texts and an answer in canonical tags, one a line."""
    lines = [f"<step_{i}>{text}</step_{i}>" for i, text in enumerate(steps, start=1)]
    if answer is not None:
        lines.append(f"<answer>{answer}</answer>")
    return "\n".join(lines)


def _body(text: str) -> tuple[int, int]:
    """The span after the last closed thinking block and before an unclosed one."""
    close = _last(THINK_CLOSE, text, 0, len(text))
    start = close.end() if close else 0
    reopened = THINK_OPEN.search(text, start)
    return start, reopened.start() if reopened else len(text)


def _last(pattern: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text, start, end):  # noqa: B007 - the last one is wanted
        pass
    return found


def _tagged_steps(text: str, start: int, end: int) -> list[Step]:
    steps: list[Step] = []
    opened: re.Match[str] | None = None

    def finish(at: int, close_tag: str = "") -> None:
        if opened is not None:
            inner = text[opened.end() : at]
            steps.append(Step(len(steps) + 1, int(opened.group(2)[:9]), inner, opened.end(), opened.group(), close_tag))

    boundaries = sorted(
        [*STEP_TAG.finditer(text, start, end), *ANSWER_OPEN.finditer(text, start, end)], key=lambda m: m.start()
    )
    for tag in boundaries:
        is_step = tag.re is STEP_TAG
        if is_step and not tag.group(1):
            finish(tag.start())
            opened = tag
        elif opened is not None:
            finish(tag.start(), tag.group() if is_step else "")
            opened = None
    finish(end)
    return steps


def _untagged_steps(text: str, start: int, end: int) -> tuple[list[Step], Layout]:
    paragraphs = _chunks(r"\n[ \t\r]*\n\s*", text, start, end)
    if len(paragraphs) > 1:
        return paragraphs, "paragraphs"
    lines = _chunks(r"\n", text, start, end)
    return lines, "lines" if lines else "empty"


def _chunks(separator: str, text: str, start: int, end: int) -> list[Step]:
    """Non-blank pieces between separators, without the white space around them."""
    steps: list[Step] = []
    at = start
    for stop, after in [(m.start(), m.end()) for m in re.compile(separator).finditer(text, start, end)] + [(end, end)]:
        piece = text[at:stop]
        stripped = piece.strip()
        if stripped:
            index = len(steps) + 1
            steps.append(Step(index, index, stripped, at + piece.index(stripped)))
        at = after
    return steps
