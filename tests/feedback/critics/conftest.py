"""Shared by the tests of critics: a small problem, rollouts for it, and critics with a cache of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepalign.clients.ledger import Ledger
from stepalign.clients.server import ServerClient
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.language_model import LanguageModelCritic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.grading import Grader

PROBLEM = Problem("p", "Start with 2. Add 3. Times 4.", "20", "2 + 3 makes 5.\n5 times 4 makes 20.")
RIGHT = "<step_1>2 + 3 = 5</step_1>\n<step_2>5 * 4 = 20</step_2>\n<answer>20</answer>"
WRONG = "<step_1>2 + 3 = 5</step_1>\n<step_2>5 * 4 = 24</step_2>\n<answer>24</answer>"


@pytest.fixture(scope="session")
def grade() -> Any:
    with Grader() as grader:
        yield grader.grade


@pytest.fixture
def waits() -> list[float]:
    """The waits that a critic made, none of which took any time."""
    return []


MakeCritic = Callable[..., LanguageModelCritic]


@pytest.fixture
def make_critic(tmp_path: Path, waits: list[float], grade: Any) -> MakeCritic:
    """A critic against a server; `make_critic(url, critic_num_reasks=0)`."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def make(url: str, **options: Any) -> LanguageModelCritic:
        settings = CriticSettings(**{"critic_base_url": url, "critic_model": "m", "critic_concurrency": 4, **options})
        client = ServerClient(settings.client_settings(), sleep=sleep)
        return LanguageModelCritic(settings, grade, client)

    return make


@pytest.fixture
def rollout() -> Callable[..., Rollout]:
    def make(text: str = WRONG, *, problem: Problem = PROBLEM, sample: int = 0, **options: Any) -> Rollout:
        return Rollout(problem, sample, text, **options)

    return make


def many(count: int, text: str = WRONG) -> list[Rollout]:
    """Rollouts of as many different problems, whose texts and answers are the same."""
    return [
        Rollout(Problem(f"p{i}", f"Problem {i}: start with 2. Add 3. Times 4.", "20"), 0, text) for i in range(count)
    ]


def check_sums(ledger: Ledger) -> None:
    """Every rollout and every ask is accounted for."""
    row = ledger.to_json()
    assert row["num_samples"] == row["num_verified"] + sum(row["num_rejected"].values())
    asks = row["num_samples"] + sum(row["num_reasked"].values())
    stopped = {"budget", "deadline", "offline", "unreachable", "stopped", "cache"} & set(row["num_rejected"])
    if row["num_requests"] and not stopped:
        assert row["num_requests"] - row["num_retries"] + row["num_cached"] == asks
