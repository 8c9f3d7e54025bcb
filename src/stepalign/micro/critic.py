"""The exact critic of the micro world: what a perfect critic would answer, by computing, for the paper's cases A to D.

A right step is copied character for character. The earliest wrong step is worked again and the trace carried on to the
answer, in the words that the solver itself used in this trace. Nothing is right when the whole approach is wrong; the
critique is then a full solution of the critic's own.

    >>> critique = exact_critique(rollout)
    >>> critique.case, critique.first_wrong_step, critique.answer
    ('D', 2, '170')

`exact_rewrite` is the control to it: it writes again a step that it is told, whatever is right or wrong.

A step counts as right when its operation, its columns and its result are those of the problem at this place; as
incomplete when the result is right and the columns are missing. A skipped operation whose later steps are right is
inserted (case B).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from stepalign.core.critique import Critique, CritiqueCase, CritiqueStep
from stepalign.core.rollout import Rollout
from stepalign.core.trace import Step
from stepalign.micro.arithmetic import columns, compute
from stepalign.micro.problems import Chain, parse_problem
from stepalign.micro.wording import Style, WorkedStep, parse_step, word_step

SOURCE = "exact"


@dataclass
class _Reading:
    """How far the solver's steps carry: the corrected steps so far and what was found."""

    steps: list[CritiqueStep] = field(default_factory=list[CritiqueStep])
    done: int = 0  # operations covered by `steps`
    used: int = 0  # solver's steps read
    first_wrong: int | None = None
    incomplete: int | None = None
    words: dict[str, str] = field(default_factory=dict[str, str])


def exact_critique(rollout: Rollout) -> Critique:
    """The critique of one rollout of a micro problem.

    Raises:
        DataError: the problem is not of the micro world.
    """
    chain = parse_problem(rollout.problem.problem)
    trace = rollout.trace
    reading = _Reading()
    style = Style(random.Random(f"{rollout.problem.id} {rollout.sample}"))
    style.fixed = reading.words  # the solver's own words, growing as its steps are read
    for step in trace.steps if trace.layout == "tags" else ():
        _read(step, chain, reading, style)
        if reading.first_wrong is not None:
            break
    if trace.layout != "tags" and trace.steps:
        reading.first_wrong = 1
    answer = str(chain.values[-1])
    case = _case(reading, chain, rollout, trace.answer == answer)
    for k in range(reading.done, len(chain.operations)):
        origin = "rewritten" if len(reading.steps) < len(trace.steps) else "inserted"
        reading.steps.append(CritiqueStep(_work(chain, k, style), origin))
    first_wrong = None if case == "A" else reading.first_wrong or reading.incomplete
    return Critique(case, first_wrong, tuple(reading.steps), answer, verified=True, source=SOURCE)


def exact_rewrite(rollout: Rollout, step: int) -> Critique | None:
    """A critique of the same form that rewrites a given step: all before it is copied, mistakes too, the step is worked
    again from there in words of the solver's vocabulary, and the trace is carried on in its own words to an answer.

    Args:
        step: from 1, in the solver's trace.
    Returns:
        None where nothing can be worked there: every operation is done before the step, or a difference is negative.
    Raises:
        DataError: the problem is not of the micro world.
    """
    chain, steps = parse_problem(rollout.problem.problem), rollout.trace.steps
    words, value, done = dict[str, str](), chain.start, 0
    for earlier in steps[: step - 1]:
        worked = parse_step(earlier.text)
        if worked is not None:
            words.update(worked.words)
            same = [k for k in range(done, len(chain.operations)) if chain.operations[k] == (worked.op, worked.operand)]
            done = same[0] if same else done
        elif done < len(chain.operations):
            value = compute(value, *chain.operations[done])
        value = value if worked is None else worked.value
        done = min(done + 1, len(chain.operations))
    written: list[CritiqueStep] = []
    rng = random.Random(f"rewrite {rollout.problem.id} {rollout.sample} {step}")
    for k in range(done, len(chain.operations)):
        op, operand = chain.operations[k]
        if value < 0 or (op == "-" and value < operand):  # there is no column work for it
            return None
        after, style = compute(value, op, operand), Style(rng, fixed=words if written else {})
        written.append(CritiqueStep(word_step(op, operand, columns(value, op, operand), after, style), "rewritten"))
        value = after
    if not written:
        return None
    copied = [CritiqueStep(earlier.text, "copied") for earlier in steps[: step - 1]]
    is_right = value == chain.values[-1]
    return Critique("D", step, (*copied, *written), str(value), verified=is_right, source=SOURCE)


def _read(step: Step, chain: Chain, reading: _Reading, style: Style) -> None:
    """Judge one solver's step against the next operation, or the one after it where an operation was skipped."""
    reading.used += 1
    worked = parse_step(step.text)
    if worked is not None:
        reading.words.update(worked.words)
    for skipped in (0, 1):
        k = reading.done + skipped
        verdict = _judge(worked, chain, k)
        if verdict == "wrong" or (skipped and verdict != "right"):
            continue
        if skipped:
            reading.steps.append(CritiqueStep(_work(chain, k - 1, style), "inserted"))
            reading.incomplete = reading.incomplete or step.index
        if verdict == "right":
            reading.steps.append(CritiqueStep(step.text, "copied"))
        else:
            reading.steps.append(CritiqueStep(_work(chain, k, style), "rewritten"))
            reading.incomplete = reading.incomplete or step.index
        reading.done = k + 1
        return
    reading.first_wrong = step.index


def _judge(worked: WorkedStep | None, chain: Chain, k: int) -> str:
    """ "right", "condensed" (the columns are missing) or "wrong" for operation k of the chain."""
    if worked is None or k >= len(chain.operations):
        return "wrong"
    if (worked.op, worked.operand) != chain.operations[k] or worked.value != chain.values[k]:
        return "wrong"
    if worked.work is None:
        return "condensed"
    return "right" if list(worked.work) == columns(chain.before[k], worked.op, worked.operand) else "wrong"


def _case(reading: _Reading, chain: Chain, rollout: Rollout, answer_is_right: bool) -> CritiqueCase:
    complete = reading.done == len(chain.operations)
    steps = rollout.trace.steps
    unfinished = not steps or not steps[-1].closed  # only a step that was cut off is excused
    cut_off = rollout.finish_reason == "length" and reading.used == len(steps) and unfinished
    if reading.first_wrong is not None and not cut_off:
        return "D"
    if not complete or cut_off:
        return "C"
    if not answer_is_right:
        return "D" if rollout.trace.answer is not None else "C"
    return "A" if reading.incomplete is None else "B"


def _work(chain: Chain, k: int, style: Style) -> str:
    op, operand = chain.operations[k]
    return word_step(op, operand, columns(chain.before[k], op, operand), chain.values[k], style)
