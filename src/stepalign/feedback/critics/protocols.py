"""The two protocols in which a language model is asked for a critique: what its reply amounts to, trusting nothing.

`edit`: the critic names the case and how many steps stay, and writes only what replaces the rest, as JSON: `{"case":
"A"|"B"|"C"|"D", "keep_steps": int, "new_steps": [text], "answer": text}`. The software copies the kept steps, so they
are the solver's characters by construction, and the reply shrinks by the share that was right. A new step that repeats
one of the replaced steps near-verbatim counts as copied; the step called wrong never does.

`rewrite`, the paper's: the critic writes out the whole corrected trace in step tags. The software decides what the
reply amounts to instead of believing a label: near-verbatim steps get the solver's exact text (see `align`), and the
case follows. A: every step copied, same answer. C: the trace had no answer or was cut off. B: same answer, other steps.
D: another answer.

Of a problem that asks for a program the steps are lines, an edit's `new_steps` are lines with their indents, a rewrite
is the corrected program, and only equal lines count as copied. There is no answer: the tests say what is right.

    >>> reply = Reply('{"case": "D", "keep_steps": 1, "new_steps": ["Twice 85 is 170."], "answer": "170"}')
    >>> [step.origin for step in parse_edit(reply, rollout).steps]
    ['copied', 'rewritten']
    >>> parse_rewrite(Reply(rollout.text), rollout).case
    'A'
"""

from __future__ import annotations

import json
import re
from operator import eq
from typing import Any, get_args

from stepalign.clients.client import Reply
from stepalign.core.critique import Critique, CritiqueCase, CritiqueStep
from stepalign.core.rollout import Rollout
from stepalign.core.text import clean_value
from stepalign.core.trace import ANSWER_CLOSE, ANSWER_OPEN, STEP_TAG, parse_trace, strip_thinking
from stepalign.feedback.critics.align import align, near_verbatim, num_leading_copies
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.latex import mend_latex

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "case": {"type": "string", "enum": ["A", "B", "C", "D"]},
        "keep_steps": {"type": "integer", "minimum": 0},
        "new_steps": {"type": "array", "items": {"type": "string"}},
        "answer": {"type": "string"},
    },
    "required": ["case", "keep_steps", "new_steps", "answer"],
    "additionalProperties": False,
}
OPENING = re.compile(r'\{(?=\s*")')
MOST_OPENINGS = 200  # places where an object seems to begin and does not that are tried in one reply
BACKSLASH = re.compile(r'\\\\|\\(?!["/bfnrt]|u[0-9a-fA-F]{4})')  # a pair, or one that begins no JSON escape
CLOSING_STEP, CLOSING_ANSWER = (re.compile(rf"{tag.pattern}\Z", re.IGNORECASE) for tag in (STEP_TAG, ANSWER_CLOSE))
TAG = re.compile(f"{STEP_TAG.pattern}|{ANSWER_OPEN.pattern}|{ANSWER_CLOSE.pattern}", re.IGNORECASE)


def with_judgement(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an edit that first says what is wrong and why."""
    properties = {"judgement": {"type": "string"}, **schema["properties"]}
    return {**schema, "properties": properties, "required": list(properties)}


def response_format(name: str, judgement: bool = False) -> dict[str, Any] | None:
    """What a request carries for the server to enforce, if it does."""
    if name == "json_schema":
        schema = with_judgement(SCHEMA) if judgement else SCHEMA
        return {"type": "json_schema", "json_schema": {"name": "critique", "strict": True, "schema": schema}}
    return {"type": "json_object"} if name == "json_object" else None


def parse_edit(reply: Reply, rollout: Rollout) -> Critique:
    """The critique that an edit describes, not yet verified.

    Raises:
        Rejected: empty, cut_off, not_json, wrong_shape, tags (that do more than enclose a text), or contradiction (case
            A that keeps less than everything, or another case that changes nothing).
    """
    value = parse_object(visible(reply))
    is_program = rollout.problem.tests is not None
    case, keep, new_steps, answer = _fields(value, is_program)
    judgement = str(value.get("judgement") or "").strip()
    trace = rollout.trace
    steps = [step.text for step in trace.steps]
    if keep > len(steps):
        raise Rejected("wrong_shape")
    if case == "A":
        if keep != len(steps) or new_steps:
            raise Rejected("contradiction")
        copied = tuple(CritiqueStep(text, "copied") for text in steps)
        return Critique("A", None, copied, None if is_program else trace.answer or answer, judgement=judgement)
    if keep == len(steps) and not new_steps and answer == trace.answer:
        raise Rejected("contradiction")
    tail = steps[keep:]
    first_new: list[CritiqueStep] = []
    if case == "D" and tail and new_steps:
        first_new, tail, new_steps = [CritiqueStep(new_steps[0], "rewritten")], tail[1:], new_steps[1:]
    kept = [CritiqueStep(text, "copied") for text in steps[:keep]]
    first_wrong = keep + 1 if keep < len(steps) else None
    written = (*kept, *first_new, *align(tail, new_steps, eq if is_program else near_verbatim))
    return Critique(case, first_wrong, written, answer, judgement=judgement)


def render_edit(rollout: Rollout, critique: Critique) -> str:
    """The reply that describes a critique, as short as the prompt asks for it: one line, letters as they are."""
    keep = num_leading_copies([step.text for step in rollout.trace.steps], critique.steps)
    new_steps = [step.text for step in critique.steps[keep:]]
    value = {"case": critique.case, "keep_steps": keep, "new_steps": new_steps, "answer": critique.answer or ""}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _fields(value: dict[str, Any], is_program: bool) -> tuple[CritiqueCase, int, list[str], str | None]:
    case, keep, new_steps, answer = (value.get(name) for name in ("case", "keep_steps", "new_steps", "answer"))
    if type(answer) in (int, float):
        answer = str(answer)
    is_well_shaped = (
        case in get_args(CritiqueCase)
        and type(keep) is int
        and keep >= 0
        and isinstance(new_steps, list)
        and all(isinstance(text, str) for text in new_steps)
        and isinstance(answer, str)
    )
    if not is_well_shaped:
        raise Rejected("wrong_shape")
    if is_program:  # indents mean something, and nothing in a line is a tag
        lines = [line.rstrip() for text in new_steps or [] for line in text.splitlines()]
        return case, keep, list(filter(None, lines)), None  # type: ignore[return-value]
    texts = [text for step in new_steps or [] for text in untagged_steps(mend_latex(step))]
    return case, keep, texts, _untagged_answer(mend_latex(answer))  # type: ignore[return-value]


def untagged_steps(text: str) -> list[str]:
    """The steps that a string of `new_steps` is, without the tags that may enclose them; none where it is blank.

    Raises:
        Rejected: "tags": something stands outside of them, or an answer among them.
    """
    if not TAG.search(text):
        return [text.strip()] if text.strip() else []
    trace = parse_trace(text)
    steps, outside = [step.text for step in trace.steps], trace.gaps
    if trace.layout != "tags":  # a close tag alone
        steps, outside = [CLOSING_STEP.sub("", text.strip())], ()
    if any(gap.strip() for gap in outside) or any(TAG.search(step) for step in steps):
        raise Rejected("tags")
    return [step.strip() for step in steps if step.strip()]


def _untagged_answer(text: str) -> str:
    text = text.strip()
    opening, closing = ANSWER_OPEN.match(text), CLOSING_ANSWER.search(text)
    answer = text[opening.end() if opening else 0 : closing.start() if closing else len(text)]
    if TAG.search(answer):
        raise Rejected("tags")
    return answer.strip()


def parse_rewrite(reply: Reply, rollout: Rollout) -> Critique:
    """The critique that a corrected trace amounts to, not yet verified.

    Raises:
        Rejected: empty, cut_off, no_steps (no step tags; of a problem that asks for one, no program), no_answer.
    """
    if rollout.problem.tests is not None:
        return _parse_program(reply, rollout)
    written = parse_trace(visible(reply))
    if written.layout != "tags":
        raise Rejected("no_steps")
    if not written.answer:
        raise Rejected("no_answer")
    trace = rollout.trace
    solver = [step.text for step in trace.steps]
    steps = align(solver, [step.text for step in written.steps])
    same_answer = trace.answer is not None and _plain(trace.answer) == _plain(written.answer)
    num_kept = num_leading_copies(solver, steps)
    is_unchanged = num_kept == len(solver) == len(steps)
    if is_unchanged and same_answer:
        return Critique("A", None, tuple(steps), trace.answer or written.answer)
    is_unfinished = trace.answer is None or rollout.finish_reason == "length"
    case: CritiqueCase = "C" if is_unfinished else "B" if same_answer else "D"
    first_wrong = num_kept + 1 if num_kept < len(solver) else None
    return Critique(case, first_wrong, tuple(steps), written.answer)


def _parse_program(reply: Reply, rollout: Rollout) -> Critique:
    written = rollout.problem.trace(visible(reply))
    if written.layout != "code":
        raise Rejected("no_steps")
    solver = [step.text for step in rollout.trace.steps]
    steps = tuple(align(solver, [step.text for step in written.steps], eq))
    num_kept = num_leading_copies(solver, steps)
    if num_kept == len(solver) == len(steps):
        return Critique("A", None, steps, None)
    case: CritiqueCase = "C" if rollout.finish_reason == "length" else "D"
    return Critique(case, num_kept + 1 if num_kept < len(solver) else None, steps, None)


def _plain(text: str) -> str:
    return "".join(text.split()).strip("$.")


def visible(reply: Reply) -> str:
    """The reply without its thinking.

    Raises:
        Rejected: "cut_off" by the token limit, or "empty".
    """
    if reply.finish_reason == "length":
        raise Rejected("cut_off")
    text = strip_thinking(reply.text).strip()
    if not text:
        raise Rejected("empty")
    return text


def parse_object(text: str) -> dict[str, Any]:
    """The last complete JSON object with a "case" in a text, repaired where LaTeX was written with single backslashes.

    Raises:
        Rejected: "not_json" if there is no object at all, "wrong_shape" if none has a case.
    """
    text = BACKSLASH.sub(r"\\\\", text)
    found, last, num_failed = False, dict[str, Any](), 0
    opening = OPENING.search(text)
    while opening is not None and num_failed < MOST_OPENINGS:
        at = opening.end()
        try:
            value, end = json.JSONDecoder(strict=False).raw_decode(text, opening.start())
            found = True
            if "case" in value:
                last, at = clean_value(value), end
        except (ValueError, RecursionError):
            num_failed += 1
        opening = OPENING.search(text, at)
    if not last:
        raise Rejected("wrong_shape" if found else "not_json")
    return last
