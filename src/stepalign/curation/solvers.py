"""The solver: a model in this process, or any OpenAI-compatible server, asked for samples of problems.

>>> async def sampled():
...     async with make_solver(arguments) as solver:
...         return await solver.sample_all(problems, 0)
>>> [len(samples) for samples in asyncio.run(sampled())]        # lists of rollouts, or why there is none
[2, 2, 2]
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from stepalign.clients.client import Failed
from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.evaluation.served import ServedSolver
from stepalign.settings.curate import CurateSettings
from stepalign.settings.evaluation import LONGEST

if TYPE_CHECKING:
    from stepalign.models.sampling import Sampling

Samples = list[Rollout] | str


class Solver(Protocol):
    """Entered as an async context. Samples of a problem depend on the settings and on its batch alone."""

    @property
    def num_samples(self) -> int:
        """Samples asked for so far, those from the cache included."""
        ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *details: object) -> None: ...

    async def sample_all(self, problems: Sequence[Problem], first: int) -> list[Samples]:
        """For each problem its samples in order, or the reason why there are none.

        Args:
            first: position of the first problem in the source: the seed of a batch.
        Raises:
            ModelError: the solver cannot be asked at all any more.
        """
        ...


def make_solver(arguments: CurateSettings) -> Solver:
    """The solver of the settings; a model in process is loaded now.

    Raises:
        ConfigError: no solver_model, or a setting of the server is wrong.
        ModelError: the model cannot be loaded.
    """
    if not arguments.solver_model:
        raise ConfigError(
            "curate needs solver_model: a directory, a GGUF file, a hub name or 'micro', or with solver_base_url the "
            "name that the server expects."
        )
    return ServerSolver(arguments) if arguments.solver_base_url else LocalSolver(arguments)


class ServerSolver(ServedSolver):
    """Behind a server; a problem that lacks a sample has none, and the reason is kept."""

    def __init__(self, arguments: CurateSettings) -> None:
        super().__init__(arguments, model=arguments.solver_model, cache=arguments.solver_cache)

    async def sample_all(self, problems: Sequence[Problem], first: int) -> list[Samples]:
        """See `Solver`; the server's samples do not depend on `first`."""
        return list(await asyncio.gather(*(self._sample_or_reason(problem) for problem in problems)))

    async def _sample_or_reason(self, problem: Problem) -> Samples:
        try:
            return await self.sample(problem)
        except Failed as error:
            return error.reason


class LocalSolver:
    """A batch at a time, in a thread of its own."""

    def __init__(self, arguments: CurateSettings) -> None:
        from stepalign.models.loading import load_model, own_defaults, templates_for  # torch: not for a server

        self._num_samples = 0
        self._model, self._tokenizer = load_model(
            str(arguments.solver_model), dtype=arguments.dtype, prompt_templates=arguments.prompt_templates
        )
        own = own_defaults(self._model.config)
        self._arguments = arguments
        self._templates = templates_for(arguments.prompt_templates, own)
        self._longest = arguments.max_new_tokens or own.get("max_new_tokens", LONGEST)
        self._turn = asyncio.Lock()
        self._is_closed = False
        self._sampling(0)  # settings that cannot be are said before anything is read

    @property
    def num_samples(self) -> int:
        """Samples made so far."""
        return self._num_samples

    async def __aenter__(self) -> LocalSolver:
        return self

    async def __aexit__(self, *details: object) -> None:
        self._is_closed = True

    async def sample_all(self, problems: Sequence[Problem], first: int) -> list[Samples]:
        """See `Solver`."""
        async with self._turn:
            return await asyncio.to_thread(self._sample, problems, first)

    def _sample(self, problems: Sequence[Problem], first: int) -> list[Samples]:
        from stepalign.evaluation.evaluate import sample_problems

        kwargs = {"enable_thinking": False} if self._arguments.no_thinking else None
        samples: dict[str, list[Rollout]] = {problem.problem: [] for problem in problems}
        batches = sample_problems(
            self._model, self._tokenizer, problems, self._sampling(first), self._templates, kwargs
        )
        for batch in batches:
            self._num_samples += len(batch)
            for rollout in batch:
                samples[rollout.problem.problem].append(rollout)
            if self._is_closed:  # interrupted: nobody waits for this batch any more
                return []
        return [sorted(samples[problem.problem], key=lambda r: r.sample) for problem in problems]

    def _sampling(self, first: int) -> Sampling:
        from stepalign.models.sampling import Sampling

        arguments = self._arguments
        return Sampling(
            num_samples=arguments.num_samples,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            max_new_tokens=self._longest,
            seed=random.Random(f"stepalign curate {arguments.seed} {first}").getrandbits(31),
            batch_size=arguments.batch_size,
        )
