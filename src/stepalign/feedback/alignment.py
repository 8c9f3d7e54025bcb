"""How much of the solver's correct text a context reproduces, verbatim and in order, found without any model.

A teacher that sees its own correct steps in the context copies them; words that the context puts in another way it
unlearns. So the share of the correct text that stands in the context says, before any forward pass, whether feedback is
aligned. And a context that quotes the wrong step makes the teacher copy the error: `quotes_wrong_step` is a warning.

    >>> measured = alignment(rollout.trace, critique.text, first_wrong_step=2)
    >>> measured.overall, measured.steps[0].share, measured.quotes_wrong_step
    (1.0, 1.0, False)

Correct steps are those before the first wrong one, all where none is wrong. Both texts are freed of tags and line
breaks; letters, digits and symbols stay as they are, since the teacher copies tokens. A character counts when it lies
in a run of `RUN` characters that the context has too, with the runs in the same order in both (the longest such
sequence is taken: a longest common subsequence over runs). A step shorter than a run counts when its neighbours' run
goes through it, or when it stands alone at its place: a whole line, element or quotation, a label such as "Step 2:"
aside. So "x = 2" somewhere in a sentence proves nothing.

The subsequence is rapidfuzz's: bit-parallel, so a response that repeats itself for 2,000 tokens takes 20 ms, where
difflib takes 0.6 s. Texts of more than about 20,000 characters each are compared by the runs that are rare in both.

Quoting is not agreeing: a context may quote a correct step to call it wrong. And what counts for the teacher is the
whole of what it reads: this is a quick check, A_t is the measure.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rapidfuzz.distance import LCSseq

from stepalign.core.errors import DataError
from stepalign.core.trace import Trace

RUN = 16  # characters; two unrelated GSM8K solutions of 5,000 characters share 1.6 % of their text in such runs
CELLS = 400_000_000  # runs of one text times runs of the other; beyond it the full comparison takes over 50 MB
RARE = 4  # in longer texts, runs that occur more often are left out
SEPARATOR = re.compile(r"</?[A-Za-z][\w-]*\s*/?>|\n")  # tags and line breaks
LABEL = re.compile(r"(?:[-*•]|\(?\d+[.)]|step \d+ ?[:.]) ", re.IGNORECASE)
QUOTES = frozenset("\"'`“”‘’«»")


@dataclass(frozen=True)
class StepShare:
    """One correct step: its index from 1, the share (0 to 1) of its characters that the context has, their number."""

    step: int
    share: float
    num_characters: int


@dataclass(frozen=True)
class Alignment:
    """`overall`: the share over all correct steps, weighted by characters; None where no step is correct."""

    overall: float | None
    steps: tuple[StepShare, ...]
    quotes_wrong_step: bool

    def to_json(self) -> dict[str, Any]:
        """As a part of `advantage.json`."""
        return {**asdict(self), "steps": [asdict(part) for part in self.steps]}


def alignment(trace: Trace, context_text: str, first_wrong_step: int | None = None) -> Alignment:
    """Measure how closely a context follows a trace.

    Args:
        trace: the solver's response.
        context_text: the context, in any tags or none.
        first_wrong_step: counts from 1; None where no step is wrong. Where a critique only inserts a missing
            justification (case B), nothing is wrong: give None.
    Raises:
        DataError: the trace has no such step.
    """
    if first_wrong_step is not None and not 1 <= first_wrong_step <= len(trace.steps):
        raise DataError(
            f"first_wrong_step is {first_wrong_step}; the response has {len(trace.steps)} steps, counted from 1."
        )
    correct = trace.steps if first_wrong_step is None else trace.steps[: first_wrong_step - 1]
    context = _Flat.of([context_text])
    solver = _Flat.of([step.text for step in correct])
    covered = _covered(solver, context)
    shares = [
        StepShare(step.index, sum(covered[start:end]) / (end - start) if end > start else 1.0, end - start)
        for step, (start, end) in zip(correct, solver.spans, strict=True)
    ]
    total = sum(part.num_characters for part in shares)
    quoted = first_wrong_step is not None and _is_quoted(trace.steps[first_wrong_step - 1].text, context)
    overall = sum(part.share * part.num_characters for part in shares) / total if total else None
    return Alignment(overall, tuple(shares), quoted)


@dataclass(frozen=True)
class _Flat:
    """Texts as one line without tags. `spans`: where each lies; `edges`: where lines, elements and labels end."""

    text: str
    spans: list[tuple[int, int]]
    edges: frozenset[int]

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Flat:
        """These texts, one after the other."""
        pieces: list[str] = []
        spans: list[tuple[int, int]] = []
        edges: set[int] = set()
        at = 0
        for text in texts:
            start = at
            for piece in SEPARATOR.split(text):
                words = " ".join(piece.split())
                if words:
                    pieces.append(words)
                    label = LABEL.match(words)
                    edges |= {at, at + (label.end() if label else 0), at + len(words)}
                    at += len(words) + 1  # one space between pieces
            spans.append((start, max(start, at - 1)))
        return cls(" ".join(pieces), spans, frozenset(edges))

    def stands_alone(self, start: int, end: int) -> bool:
        """Whether [start, end) is a whole piece, or a whole quotation."""
        before = start in self.edges or self.text[start - 1 : start] in QUOTES
        return before and (end in self.edges or self.text[end : end + 1] in QUOTES)


def _covered(solver: _Flat, context: _Flat) -> list[bool]:
    """For each character of the solver whether the context reproduces it."""
    covered = [False] * len(solver.text)
    pairs = _common_runs(solver.text, context.text)
    for at, _ in pairs:
        covered[at : at + RUN] = [True] * RUN
    here, there = [i for i, _ in pairs], [j for _, j in pairs]  # both ascend
    reached = 0  # place in the context up to which short steps are found
    for start, end in solver.spans:
        if end - start >= RUN or all(covered[start:end]):
            continue
        before, after = bisect_right(here, start - RUN), bisect_left(here, end)
        low = max(reached, there[before - 1] + RUN if before else 0)
        high = there[after] if after < len(there) else len(context.text)
        found = _alone(solver.text[start:end], context, low, high)
        if found is not None:
            covered[start:end] = [True] * (end - start)
            reached = found + end - start
    return covered


def _common_runs(a: str, b: str) -> list[tuple[int, int]]:
    """Places (in a, in b) where runs of `RUN` characters agree: as many as are in the same order in both."""
    runs_a, runs_b = _runs(a), _runs(b)
    common = set(runs_a) & set(runs_b)
    at_a = [i for i, run in enumerate(runs_a) if run in common]
    at_b = [i for i, run in enumerate(runs_b) if run in common]
    if len(at_a) * len(at_b) > CELLS:
        same = next(
            (i for i, (x, y) in enumerate(zip(runs_a, runs_b, strict=False)) if x != y), min(len(runs_a), len(runs_b))
        )
        rest = _rare_runs(runs_a[same:], runs_b[same:])
        return [(i, i) for i in range(same)] + [(i + same, j + same) for i, j in rest]
    edits = LCSseq.editops([runs_a[i] for i in at_a], [runs_b[i] for i in at_b])
    blocks = edits.as_matching_blocks()
    return [(at_a[block.a + n], at_b[block.b + n]) for block in blocks for n in range(block.size)]


def _rare_runs(runs_a: list[str], runs_b: list[str]) -> list[tuple[int, int]]:
    """The same for long texts: only of runs that are rare in both, as the longest chain that ascends in both."""
    count_a, count_b = Counter(runs_a), Counter(runs_b)
    places: dict[str, list[int]] = {}
    for j in range(len(runs_b) - 1, -1, -1):  # descending, so that a chain takes each place of a once
        if count_b[runs_b[j]] <= RARE:
            places.setdefault(runs_b[j], []).append(j)
    tails: list[int] = []  # the smallest end of a chain of each length, and which pair it is
    tail_pairs: list[int] = []
    pairs: list[tuple[int, int, int]] = []  # (in a, in b, the pair before)
    for i, run in enumerate(runs_a):
        for j in places.get(run, ()) if count_a[run] <= RARE else ():
            length = bisect_left(tails, j)
            pairs.append((i, j, tail_pairs[length - 1] if length else -1))
            tails[length : length + 1] = [j]
            tail_pairs[length : length + 1] = [len(pairs) - 1]
    chain: list[tuple[int, int]] = []
    at = tail_pairs[-1] if tail_pairs else -1
    while at >= 0:
        i, j, at = pairs[at]
        chain.append((i, j))
    return chain[::-1]


def _runs(text: str) -> list[str]:
    return [text[i : i + RUN] for i in range(len(text) - RUN + 1)]


def _is_quoted(step_text: str, context: _Flat) -> bool:
    """Whether the context has the whole step, not merely a longer text that begins like it."""
    wrong = _Flat.of([step_text]).text
    if len(wrong) < RUN:
        return bool(wrong) and _alone(wrong, context, 0, len(context.text)) is not None
    return any(_ends_there(context.text, at, at + len(wrong)) for at in _places(wrong, context.text))


def _alone(text: str, context: _Flat, low: int, high: int) -> int | None:
    return next((at for at in _places(text, context.text, low, high) if context.stands_alone(at, at + len(text))), None)


def _places(text: str, within: str, low: int = 0, high: int | None = None) -> Iterator[int]:
    at = within.find(text, low, high)
    while at >= 0:
        yield at
        at = within.find(text, at + 1, high)


def _ends_there(text: str, start: int, end: int) -> bool:
    """Whether neither a word nor a number goes on beyond [start, end)."""
    begins_inside = re.match(r"\w\w", text[max(0, start - 1) : start + 1])
    return not begins_inside and not re.match(r"\w\w|\d[.,]\d", text[end - 1 : end + 2])
