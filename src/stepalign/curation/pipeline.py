"""The curation: rows of a source through all stages, in batches, until enough problems are found.

Cheap stages go through the rows one by one; what passes them is gathered into batches. A few batches are sampled and
judged at once, so that neither the solver nor the critic waits for the other; they are committed in the order of the
source, each with the place where the source goes on. A killed run therefore goes on with the first batch that was not
committed, whose samples come from the cache or, in process, from the same seeds; nothing is decided twice or passed
over. What is in memory are those few batches, whatever the size of the source.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

from stepalign.clients.alive import check_alive
from stepalign.clients.pool import Pool, run
from stepalign.clients.settings import KINDS
from stepalign.core.errors import ConfigError
from stepalign.curation.judge import Judge
from stepalign.curation.screen import Candidate, Screen, evaluation_index
from stepalign.curation.solvers import Solver, make_solver
from stepalign.curation.store import Decision, Store
from stepalign.data.sources import ProblemStream, open_source
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.grading import AnyGrader
from stepalign.runs.files import CURATION
from stepalign.settings.curate import CurateSettings
from stepalign.settings.evaluation import solver_client
from stepalign.settings.grading import make_grader

BATCHES_AT_ONCE = 4
PROGRESS_S = 1.0  # between two reports of progress while a batch is under way
MOST_ROWS = 10_000  # rows of a batch, so that a long way without a candidate is committed too


class Progress(NamedTuple):
    """How far it is: rows decided, problems kept, samples asked for in this run."""

    num_rows: int
    num_kept: int
    num_samples: int


class Batch(NamedTuple):
    """Consecutive rows, the candidates among them, and where the source goes on behind them."""

    dropped: list[Decision]
    candidates: list[Candidate]
    state: dict[str, Any]


class Curation:
    """One curation in its directory; `run` may be called again after any end of it.

    Args:
        arguments: the settings; source and output_dir must be set.
        critic: settings of the critic, None for none.
        on_progress: hears of each commit, and every second of the samples.
    """

    def __init__(
        self,
        arguments: CurateSettings,
        critic: CriticSettings | None = None,
        on_progress: Callable[[Progress], object] = lambda progress: None,
    ) -> None:
        if not arguments.source or not arguments.output_dir:
            missing = "output_dir" if arguments.source else "source"
            raise ConfigError(f"curate needs {missing}. Set it on the command line or in the recipe.")
        if critic is not None and critic.critic not in KINDS:
            raise ConfigError(
                f"curate asks its critic for solutions, and critic '{critic.critic}' gives none; expected one of: "
                f"{', '.join(KINDS)}. Or leave the critic out: its stage is then skipped."
            )
        self.arguments, self._critic_settings, self._on_progress = arguments, critic, on_progress
        self.store = Store(Path(arguments.output_dir) / CURATION)

    def run(self) -> None:
        """Go on until enough problems are found or the source ends.

        Raises:
            ConfigError, DataError: a setting or the source is unusable, or the directory holds another curation.
            ModelError, CriticError: the solver or the critic cannot be asked; run again to go on.
        """
        state = self.store.state()
        stream = self._open(state)
        self._check_same(stream)
        if self._is_enough() or (state or {}).get("is_exhausted"):
            return
        arguments = self.arguments
        if arguments.solver_base_url and arguments.solver_model:
            check_alive(solver_client(arguments, arguments.solver_model))
        if self._critic_settings is not None:
            check_alive(self._critic_settings.client_settings())
        limits = {"timeout_s": arguments.grading_timeout_s, "num_workers": arguments.grading_workers}
        with make_grader(arguments, **limits) as grader:
            index = evaluation_index(arguments.evaluation_sets, arguments.ngram_words)
            batches = self._batches(stream, Screen(arguments, self.store, grader, index))
            run(self._run(batches, grader))

    @property
    def is_exhausted(self) -> bool:
        """Whether the source has no further rows."""
        return bool((self.store.state() or {}).get("is_exhausted"))

    def _open(self, state: dict[str, Any] | None) -> ProblemStream:
        a = self.arguments
        source = state["source"] if state else None
        return open_source(
            str(a.source),
            adapter=a.adapter,
            columns=a.columns,
            subset=a.subset,
            split=a.split,
            likely="train",
            state=source,
        )

    def _check_same(self, stream: ProblemStream) -> None:
        """A directory holds one curation: what decides a row must not change in the middle."""
        critic = self._critic_settings
        settings = self.arguments.deciding() | {
            "rows": stream.fingerprint(),
            "critic": critic and [critic.critic_model, critic.critic_max_tokens, critic.critic_extra_body],
        }
        stored = self.store.note("settings")
        if self.store.state() is None and stored != settings:  # nothing is decided yet: what is there binds nobody
            self.store.clear()
            self.store.set_note("settings", settings)
            return
        for name in sorted({*stored, *settings}):
            if stored.get(name) != settings.get(name):
                raise ConfigError(
                    f"{self.arguments.output_dir} holds a curation with {name} {stored.get(name)}; now it is "
                    f"{settings.get(name)}. Use another output_dir, or the settings it was started with."
                )

    def _is_enough(self) -> bool:
        return bool(self.arguments.num_problems) and self.store.num_kept >= self.arguments.num_problems

    async def _run(self, batches: Iterator[Batch], grader: AnyGrader) -> None:
        async with AsyncExitStack() as stack:
            solver = await stack.enter_async_context(make_solver(self.arguments))
            critic = None
            if self._critic_settings is not None:
                pool = stack.enter_context(closing(Pool(self._critic_settings.client_settings())))
                critic = await stack.enter_async_context(pool)
            judge = Judge(self.arguments, solver, critic, grader)
            under_way: deque[tuple[Batch, asyncio.Task[list[Decision]]]] = deque()
            try:
                await self._work(batches, judge, solver, under_way)
            finally:
                for _, task in under_way:
                    task.cancel()
                await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def _work(
        self,
        batches: Iterator[Batch],
        judge: Judge,
        solver: Solver,
        under_way: deque[tuple[Batch, asyncio.Task[list[Decision]]]],
    ) -> None:
        num_rows = (self.store.state() or {"source": {"num_rows": 0}})["source"]["num_rows"]
        has_more = True
        while not self._is_enough():
            while has_more and len(under_way) < BATCHES_AT_ONCE:
                batch = await asyncio.to_thread(next, batches, None)
                has_more = batch is not None
                if batch is not None:
                    under_way.append((batch, asyncio.create_task(judge.judge(batch.candidates))))
            if not under_way:
                return
            batch, task = under_way[0]
            while not task.done():
                await asyncio.wait([task], timeout=PROGRESS_S)
                self._on_progress(Progress(num_rows, self.store.num_kept, solver.num_samples))
            decisions = [*batch.dropped, *task.result()]
            under_way.popleft()
            self.store.commit(sorted(decisions, key=lambda d: d.position), batch.state)
            num_rows = batch.state["source"]["num_rows"]
            self._on_progress(Progress(num_rows, self.store.num_kept, solver.num_samples))

    def _batches(self, stream: ProblemStream, screen: Screen) -> Iterator[Batch]:
        """Batches in the order of the source; the last one says that the source is exhausted."""
        dropped: list[Decision] = []
        candidates: list[Candidate] = []
        for entry in stream:
            result = screen(entry)
            if isinstance(result, Candidate):
                candidates.append(result)
            else:
                dropped.append(result)
            if len(candidates) == self.arguments.batch_problems or len(dropped) >= MOST_ROWS:
                yield Batch(dropped, candidates, {"source": stream.state()})
                dropped, candidates = [], []
        yield Batch(dropped, candidates, {"source": stream.state(), "is_exhausted": True})
