"""Contexts that are other rollouts of the same model.

>>> from stepalign.feedback.formats import build_context
>>> from stepalign.core.rollout import Grade, Outcome
>>> right = Rollout(rollout.problem, 1, "<answer>170</answer>", grade=Grade(Outcome.CORRECT, "170"))
>>> build_context(rollout, "peer", peers=[right]).text
'<answer>170</answer>'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from stepalign.core.critique import Context
from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.trace import strip_thinking
from stepalign.feedback.formats import AskCritic, FeedbackFormat, register_feedback
from stepalign.runs.files import ROLLOUTS
from stepalign.runs.row import read_rows
from stepalign.runs.rows import RolloutRow

PEER = "peer"
KEPT = 2  # right responses of a problem: the first, and another for the rollout that is the first


@register_feedback(PEER)
class Peer(FeedbackFormat):
    """The first right response to the same problem that is known, other than the rollout: from a file of samples, from
    the run so far, or sampled together with it. Isolates the solver's own style from a judgement of the rollout
    (arXiv 2606.15576)."""

    needs = "a right response to its problem: give graded samples as peer_samples"

    def __init__(
        self,
        critic: AskCritic | None = None,
        *,
        problems: Sequence[Problem] = (),
        peers: Sequence[Rollout] = (),
        seed: int = 0,
    ):
        super().__init__(critic, problems=problems, peers=peers, seed=seed)
        self.right: dict[str, list[str]] = {}
        self._remember(peers)

    def contexts(self, rollouts: Sequence[Rollout]) -> list[Context | None]:
        """A right response of each rollout's problem, None where none is known."""
        self._remember(rollouts)
        found = [self._other(rollout) for rollout in rollouts]
        return [None if text is None else Context(text) for text in found]

    def _remember(self, rollouts: Iterable[Rollout]) -> None:
        for rollout in rollouts:
            known, text = self.right.setdefault(rollout.problem.id, []), _said(rollout)
            if rollout.grade is not None and rollout.grade.is_correct and len(known) < KEPT and text not in known:
                known.append(text)

    def _other(self, rollout: Rollout) -> str | None:
        return next((text for text in self.right[rollout.problem.id] if text != _said(rollout)), None)


def known_peers(samples: str | None, problems: Sequence[Problem], directory: Path | None = None) -> list[Rollout]:
    """Graded responses to these problems: of a file of samples, then of a run's own rollouts, oldest first.

    Args:
        samples: what `stepalign evaluate` or `grade` wrote; responses to other problems are left out.
        directory: of the run; None: no run.
    Raises:
        DataError: the file cannot be read, or has no graded response to any of the problems.
    """
    by_id = {problem.id: problem for problem in problems}
    found: list[Rollout] = []
    if samples is not None:
        rows = read_rows(Path(samples), RolloutRow)
        found = [row.rollout(by_id[row.problem_id]) for row in rows if row.problem_id in by_id and row.grade]
        if not found:
            raise DataError(
                f"{samples}: {len(rows)} rows, and none is a graded response to one of the {len(problems)} training "
                "problems. Expected samples.jsonl of stepalign evaluate or grade on these problems."
            )
    rows = read_rows(directory / ROLLOUTS, RolloutRow) if directory is not None else []
    return [*found, *(row.rollout(by_id[row.problem_id]) for row in rows if row.problem_id in by_id)]


def _said(rollout: Rollout) -> str:
    return strip_thinking(rollout.text).strip()
