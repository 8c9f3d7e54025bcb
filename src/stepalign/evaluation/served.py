"""A solver behind any OpenAI-compatible server: one request a sample, many at once.

>>> how = {"problems": "problems.jsonl", "output_dir": "evaluated", "num_samples": 2, "solver_base_url": base_url}
>>> solver = ServedSolver(EvaluateSettings(model="m", **how), model="m")
>>> [[rollout.text for rollout in rollouts] for rollouts in sample_served(solver, problems)]
[['4', '4'], ['4', '4'], ['4', '4']]
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from stepalign.clients.client import Failed, Reply
from stepalign.clients.pool import Pool
from stepalign.core.errors import ModelError
from stepalign.core.problem import Problem
from stepalign.core.prompts import DEFAULT_TEMPLATES, render_prompt
from stepalign.core.rollout import Rollout
from stepalign.settings.command_groups import EvaluateSettings
from stepalign.settings.curate import CurateSettings
from stepalign.settings.evaluation import solver_client


class ServedSolver:
    """Entered as an async context.

    Args:
        settings: how it is reached and what its samples are asked with.
        model: the name that the server expects.
        cache: file of its replies; empty for the critics' own.
        top_k: 0 sends none, since not every server knows it: the server's own default then holds (vLLM's is the
            model's generation_config.json, but for --generation-config vllm).
    """

    def __init__(
        self, settings: CurateSettings | EvaluateSettings, *, model: str | None, cache: str = "", top_k: int = 0
    ) -> None:
        self.pool = Pool(solver_client(settings, model, cache))
        self._templates = settings.prompt_templates or DEFAULT_TEMPLATES
        self._count, self._seed = settings.num_samples, settings.seed
        self._sampling: dict[str, Any] = {"temperature": settings.temperature, "top_p": settings.top_p}
        if top_k:
            self._sampling["top_k"] = top_k
        if settings.no_thinking:
            self._sampling["chat_template_kwargs"] = {"enable_thinking": False}

    @property
    def num_samples(self) -> int:
        """Samples asked for so far, those from the cache included."""
        ledger = self.pool.ledger
        return ledger.num_requests - ledger.num_retries + ledger.num_cached

    async def __aenter__(self) -> ServedSolver:
        await self.pool.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.pool.__aexit__(*details)
        self.pool.close()

    async def sample(self, problem: Problem) -> list[Rollout]:
        """All samples of a problem, in order; the request of sample i has the seed `seed` x `num_samples` + i.

        Raises:
            Failed: one of them got no reply, retries included.
            ModelError: the server cannot be asked at all any more.
        """
        prompt = render_prompt(self._templates, "student", problem=problem)
        first = self._seed * self._count
        asks = [
            asyncio.ensure_future(self.pool.ask(prompt, number=i, seed=first + i, **self._sampling))
            for i in range(self._count)
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
                for problem in islice(left, solver.pool.settings.concurrency - len(tasks)):
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
