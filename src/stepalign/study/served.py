"""A solver behind any OpenAI-compatible server: one request a sample, many at once.

async with ServedSolver(settings, Ask(num_samples=12, temperature=1.1)) as solver:
    rollouts = await solver.sample(problem)

for rollouts in sample_served(solver, problems): ...        # the same without an event loop of one's own
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from stepalign.core.errors import ModelError
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Rollout
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.writer import Failed, Reply
from stepalign.study.asker import Asker

LONGEST = 2048  # tokens of a sample where nobody says


@dataclass(frozen=True)
class Ask:
    """What each problem's samples are asked with. `top_k` 0 sends none, since not every server knows it: the server's
    own default then holds (vLLM's is the model's generation_config.json, but for --generation-config vllm)."""

    num_samples: int
    temperature: float
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    prompt_templates: str = "steps"
    no_thinking: bool = False

    @property
    def sampling(self) -> dict[str, Any]:
        body: dict[str, Any] = {"temperature": self.temperature, "top_p": self.top_p}
        if self.top_k:
            body["top_k"] = self.top_k
        if self.no_thinking:
            body["chat_template_kwargs"] = {"enable_thinking": False}
        return body


class ServedSolver:
    """Entered as an async context. `settings` are those of `asker.server_settings`."""

    def __init__(self, settings: CriticSettings, ask: Ask) -> None:
        self.asker = Asker(settings, role="solver")
        self._ask = ask

    @property
    def num_samples(self) -> int:
        """Samples asked for so far, those from the cache included."""
        ledger = self.asker.ledger
        return ledger.num_requests - ledger.num_retries + ledger.num_cached

    async def __aenter__(self) -> ServedSolver:
        await self.asker.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.asker.__aexit__(*details)

    async def sample(self, problem: Problem) -> list[Rollout]:
        """All samples of a problem, in order; the request of sample i has the seed `seed` x `num_samples` + i.

        Raises:
            Failed: one of them got no reply, retries included.
            ModelError: the server cannot be asked at all any more.
        """
        prompt = render_prompt(self._ask.prompt_templates, "student", problem=problem)
        first = self._ask.seed * self._ask.num_samples
        asks = [
            asyncio.ensure_future(self.asker.ask(prompt, number=i, seed=first + i, **self._ask.sampling))
            for i in range(self._ask.num_samples)
        ]
        try:
            replies = await asyncio.gather(*asks)
        finally:
            for ask in asks:  # one without a sample: the others are of no use
                ask.cancel()
        return [_rollout(problem, i, reply) for i, reply in enumerate(replies)]


def _rollout(problem: Problem, sample: int, reply: Reply) -> Rollout:
    reason = "length" if reply.finish_reason == "length" else "stop"
    return Rollout(problem, sample, reply.text, finish_reason=reason, num_tokens=reply.tokens_out)


def sample_served(solver: ServedSolver, problems: Sequence[Problem]) -> Iterator[list[Rollout]]:
    """The samples of each problem as they are complete; as many problems at once as requests may be under way.

    Raises:
        ModelError: at once where the server cannot be asked any more; at the end where it gave no sample of a problem.
    """
    failed: list[str] = []
    left, tasks = iter(problems), dict[asyncio.Task[list[Rollout]], Problem]()
    with asyncio.Runner() as runner:
        runner.run(solver.__aenter__())
        try:
            while True:
                for problem in islice(left, solver.asker.settings.critic_concurrency - len(tasks)):
                    tasks[runner.get_loop().create_task(solver.sample(problem))] = problem
                if not tasks:
                    break
                finished, _ = runner.run(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
                for task in finished:
                    try:
                        rollouts = task.result()
                    except Failed as error:
                        failed.append(f"{tasks[task].id}: {error}")
                    else:
                        yield rollouts
                    del tasks[task]
        finally:
            runner.run(_end(tasks))
            runner.run(solver.__aexit__(None, None, None))
    if failed:
        raise ModelError(
            f"the solver gave no sample of {len(failed)} of {len(problems)} problems, first of {failed[0]}. The others "
            "are kept. Correct the server, or take the problems out, and run the same command to go on."
        )


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel what is under way, and hear of every exception."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
