"""The exact critic of the code world: what a perfect critic would answer, by reading each line.

A right line is copied character for character, wherever it stands; a wrong one is written again, with the solver's own
names and forms; what is missing is put in. So the change is as small as it can be. A response that is no program of
this world gets one of the critic's own.

    >>> from stepalign.core.problem import Problem, Tests
    >>> asked = Problem("p", "Write f(n). Start with 3. For each i from 1 to n: add 2 times i.", tests=Tests())
    >>> text = "def f(n):\\n    out = 3\\n    for i in range(1, n):\\n        out += 2 * i\\n    return out"
    >>> critique = exact_program_critique(Rollout(asked, 0, text))
    >>> critique.case, critique.first_wrong_step, critique.steps[2].text
    ('D', 3, '    for i in range(1, n + 1):')

`exact_program_rewrite` is the control to it: it writes again a line that it is told, whatever is right or wrong.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from stepalign.core.critique import Critique, CritiqueCase, CritiqueStep, Origin
from stepalign.core.rollout import Rollout
from stepalign.micro.code.spec import parse_spec
from stepalign.micro.code.wording import Line, Style, forms_of, parse_line, program_lines, word_line

SOURCE = "exact"


class _Reading(NamedTuple):
    """The solver's lines, what the right program says with the solver's names, and how it is worded."""

    texts: list[str]
    said: list[Line | None]
    right: list[Line]
    style: Style


def exact_program_critique(rollout: Rollout) -> Critique:
    """The critique of one rollout of a problem of the code world.

    Raises:
        DataError: the problem is not of that world.
    """
    reading = _read(rollout)
    steps: list[CritiqueStep] = []
    wrong: int | None = None
    for tag, i, i_end, j, j_end in _matched(reading):
        if tag == "equal":
            steps += [CritiqueStep(text, "copied") for text in reading.texts[i:i_end]]
            continue
        wrong = i + 1 if wrong is None else wrong
        for k in range(j, j_end):
            own = i + k - j
            is_instead = own < i_end
            origin: Origin = "rewritten" if is_instead else "inserted"
            steps.append(CritiqueStep(_worded(reading, k, own if is_instead else None), origin))
    if wrong is None:
        return Critique("A", None, tuple(steps), None, verified=True, source=SOURCE)
    num_lines = len(reading.texts)
    is_unfinished = wrong > num_lines or (rollout.finish_reason == "length" and wrong == num_lines)
    case: CritiqueCase = "C" if is_unfinished else "D"
    return Critique(case, wrong if wrong <= num_lines else None, tuple(steps), None, verified=True, source=SOURCE)


def exact_program_rewrite(rollout: Rollout, step: int) -> Critique | None:
    """A critique of the same form that rewrites a given line: all before it is copied, slips too, the line is written
    again, in another form where it has one, and the program is carried on with the solver's names and forms.

    Args:
        step: from 1, in the solver's program.
    Returns:
        None where the right program has nothing left to write there.
    Raises:
        DataError: the problem is not of that world.
    """
    reading = _read(rollout)
    at = _place(reading, step - 1)
    if at >= len(reading.right) or reading.said[0] is None:
        return None
    before = reading.texts[: step - 1]
    written = [
        _other_form(reading, at, step - 1),
        *(_worded(reading, k, None) for k in range(at + 1, len(reading.right))),
    ]
    steps = (*(CritiqueStep(t, "copied") for t in before), *(CritiqueStep(t, "rewritten") for t in written))
    is_right = reading.said[: step - 1] == reading.right[:at]
    return Critique("D", step, steps, None, verified=is_right, source=SOURCE)


def _read(rollout: Rollout) -> _Reading:
    spec, trace = parse_spec(rollout.problem.problem), rollout.trace
    texts = [step.text for step in trace.steps] if trace.layout == "code" else []
    said = [parse_line(text) for text in texts]
    style = Style(random.Random(f"{rollout.problem.id} {rollout.sample}"))
    loops = [line for line in said if line is not None and line.kind in ("for", "while")]
    names = [line.names[0] for line in said if line is not None and line.kind in ("assign", "return")]
    if loops:
        style.loop, style.uses_while = loops[0].names[0], loops[0].kind == "while"
    own = [name for name in names if not loops or name != style.loop]
    style.name = own[0] if own else style.name
    if style.loop == style.name:  # a program that uses one name for both cannot be right
        style.loop = "i"
    for text in reversed(texts):  # the first use of a form decides
        style.fixed.update(forms_of(text))
    return _Reading(texts, said, program_lines(spec, style), style)


def _matched(reading: _Reading) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, reading.said, reading.right, autojunk=False).get_opcodes()


def _place(reading: _Reading, index: int) -> int:
    """Which line of the right program a line of the solver's stands for."""
    for _, i, i_end, j, j_end in _matched(reading):
        if i <= index < i_end:
            return min(j + index - i, j_end)
    return len(reading.right)


def _worded(reading: _Reading, k: int, own: int | None) -> str:
    """A line of the right program in the forms of the solver's line there, else of its program."""
    style = reading.style
    forms = forms_of(reading.texts[own]) if own is not None else {}
    return word_line(reading.right[k], Style(style.rng, 0.0, {**style.fixed, **forms}, style.name, style.loop, False))


def _other_form(reading: _Reading, k: int, own: int) -> str:
    """A line in another form than the solver's, where the solver has one."""
    style, forms = reading.style, forms_of(reading.texts[own])
    update = "full" if forms.get("update") == "augmented" else "augmented"
    product = "number first" if forms.get("product") == "variable first" else "variable first"
    other = {"update": update, "product": product}
    return word_line(reading.right[k], Style(style.rng, 0.0, {**style.fixed, **other}, style.name, style.loop, False))
