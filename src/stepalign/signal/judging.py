"""Cases judged by a critic: which step of each is wrong first, and the critique as a context.

    >>> from stepalign.feedback.critics.settings import CriticSettings
    >>> ((judged, critique),) = judge([case], CriticSettings(critic="exact"))
    >>> judged.first_wrong_step, critique.splitlines()[-1]
    (2, '<answer>503</answer>')

The critic is any that `stepalign critique` takes, and what it writes is verified in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

from stepalign.core.critique import Critique
from stepalign.core.errors import ConfigError, CriticError
from stepalign.feedback.critics.build import build_critic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critiques import judging
from stepalign.grading import Grader
from stepalign.micro import exact
from stepalign.signal.case import Case

NO_ANSWER = (
    "needs the right answer, by which its critiques are verified; got none. Give --answer, or answer in the case."
)


def judge(cases: Sequence[Case], critic: CriticSettings | None) -> list[tuple[Case, str | None]]:
    """Each case with the first wrong step that the critic names, and the critique's text; as it is without a critic.

    Raises:
        ConfigError: no such critic, or the right answer is not known.
        DataError: the critic cannot read the problem.
        CriticError: it gave no critique that stood the test.
    """
    if critic is None:
        return [(case, None) for case in cases]
    critiques = _exact(cases) if critic.critic == "exact" else _asked(cases, critic)
    pairs = zip(cases, critiques, strict=True)
    return [(case.judged(own) if (own := judging(made)) else case, made.text) for case, made in pairs]


def _exact(cases: Sequence[Case]) -> list[Critique]:
    """What the micro world's critic computes needs no test, and no answer to test it by."""
    return [exact.critique(case.as_rollout()) for case in cases]


def _asked(cases: Sequence[Case], settings: CriticSettings) -> list[Critique]:
    with Grader() as grader:
        critic = build_critic(settings, grader.grade)
        if any(case.answer is None for case in cases):
            raise ConfigError(f"critic '{settings.critic}' {NO_ANSWER}")
        records = critic.critique([case.as_rollout() for case in cases])
    critiques: list[Critique] = []
    for case, record in zip(cases, records, strict=True):
        if record.critique is None:
            where = f" of rollout {case.rollout['index']}" if case.rollout else ""
            raise CriticError(
                f"critic '{settings.critic}' gave no critique{where} that could be used: {record.reason}. Inspect "
                "without --critic, or raise --critic_num_reasks, or set --critic_on_failure reference."
            )
        critiques.append(record.critique)
    return critiques
