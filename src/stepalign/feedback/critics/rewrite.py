"""The `rewrite` protocol, the paper's: the critic writes out the whole corrected trace in step tags.

The software decides what the reply amounts to instead of believing a label: near-verbatim steps get the solver's exact
text (see `align`), and the case follows. A: every step copied, same answer. C: the trace had no answer or was cut off.
B: same answer, other steps. D: another answer.
"""

from __future__ import annotations

from stepalign.core.critique import Case, Critique
from stepalign.core.rollout import Rollout
from stepalign.core.trace import parse_trace
from stepalign.feedback.critics.align import align, num_leading_copies
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.replies import visible
from stepalign.feedback.critics.writer import Reply


def parse_rewrite(reply: Reply, rollout: Rollout) -> Critique:
    """The critique that a corrected trace amounts to, not yet verified.

    Raises:
        Rejected: empty, cut_off, no_steps (no step tags), no_answer.
    """
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
    case: Case = "C" if is_unfinished else "B" if same_answer else "D"
    first_wrong = num_kept + 1 if num_kept < len(solver) else None
    return Critique(case, first_wrong, tuple(steps), written.answer)


def _plain(text: str) -> str:
    return "".join(text.split()).strip("$.")
