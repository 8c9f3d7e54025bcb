"""The `edit` protocol: the critic names the case and how many steps stay, and writes only what replaces the rest.

Reply: `{"case": "A"|"B"|"C"|"D", "keep_steps": int, "new_steps": [text], "answer": text}`. The software copies the kept
steps, so they are the solver's characters by construction, and the reply shrinks by the share that was right. A new
step that repeats one of the replaced steps near-verbatim counts as copied; the step called wrong never does.
"""

from __future__ import annotations

import json
from typing import Any, get_args

from stepalign.core.critique import Case, Critique, CritiqueStep
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.align import align, num_leading_copies
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.replies import mend_latex, parse_object, visible
from stepalign.feedback.critics.writer import Reply

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


def response_format(name: str) -> dict[str, Any] | None:
    """What a request carries for the server to enforce, if it does."""
    if name == "json_schema":
        return {"type": "json_schema", "json_schema": {"name": "critique", "strict": True, "schema": SCHEMA}}
    return {"type": "json_object"} if name == "json_object" else None


def parse_edit(reply: Reply, rollout: Rollout) -> Critique:
    """The critique that an edit describes, not yet verified.

    Raises:
        Rejected: empty, cut_off, not_json, wrong_shape, or contradiction (case A that keeps less than everything, or
            another case that changes nothing).
    """
    case, keep, new_steps, answer = _fields(parse_object(visible(reply)))
    trace = rollout.trace
    steps = [step.text for step in trace.steps]
    if keep > len(steps):
        raise Rejected("wrong_shape")
    if case == "A":
        if keep != len(steps) or new_steps:
            raise Rejected("contradiction")
        return Critique("A", None, tuple(CritiqueStep(text, "copied") for text in steps), trace.answer or answer)
    if keep == len(steps) and not new_steps and answer == trace.answer:
        raise Rejected("contradiction")
    tail = steps[keep:]
    first_new: list[CritiqueStep] = []
    if case == "D" and tail and new_steps:
        first_new, tail, new_steps = [CritiqueStep(new_steps[0], "rewritten")], tail[1:], new_steps[1:]
    kept = [CritiqueStep(text, "copied") for text in steps[:keep]]
    first_wrong = keep + 1 if keep < len(steps) else None
    return Critique(case, first_wrong, (*kept, *first_new, *align(tail, new_steps)), answer)


def render_edit(rollout: Rollout, critique: Critique) -> str:
    """The reply that describes a critique, as short as the prompt asks for it: one line, letters as they are."""
    keep = num_leading_copies([step.text for step in rollout.trace.steps], critique.steps)
    new_steps = [step.text for step in critique.steps[keep:]]
    value = {"case": critique.case, "keep_steps": keep, "new_steps": new_steps, "answer": critique.answer}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _fields(value: dict[str, Any]) -> tuple[Case, int, list[str], str]:
    case, keep, new_steps, answer = (value.get(name) for name in ("case", "keep_steps", "new_steps", "answer"))
    if type(answer) in (int, float):
        answer = str(answer)
    is_well_shaped = (
        case in get_args(Case)
        and type(keep) is int
        and keep >= 0
        and isinstance(new_steps, list)
        and all(isinstance(text, str) for text in new_steps)
        and isinstance(answer, str)
    )
    if not is_well_shaped:
        raise Rejected("wrong_shape")
    texts = [mend_latex(text).strip() for text in new_steps or []]
    return case, keep, [text for text in texts if text], mend_latex(answer).strip()  # type: ignore[return-value]
