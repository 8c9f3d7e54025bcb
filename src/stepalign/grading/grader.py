r"""Grade responses: find the answer, compare it by looking, and only then ask a worker process.

A problem that has tests is graded by running them, see `stepalign.grading.programs`.

Micro-world and most benchmark answers are plain numbers, so no process is ever started for them. What takes
mathematics goes to a worker that is killed and replaced when it exceeds its time or memory or crashes; that grade is a
timeout, counted on its own.

    >>> with Grader(timeout_s=5) as grader:
    ...     grader.grade(r"... so \boxed{2^{-1}}", r"\frac{1}{2}")
    ...     grader.group(["1/2", "0.5", None, "3"])
    Grade(outcome=<Outcome.CORRECT: 'correct'>, extracted='2^{-1}')
    [0, 0, None, 1]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache, partial
from queue import LifoQueue

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.program import parses
from stepalign.core.rollout import Grade, Outcome
from stepalign.grading.answers import MAX_ANSWER_CHARS, check_patterns, extract_answer, unbox
from stepalign.grading.plain import plain_outcome
from stepalign.grading.programs import ProgramGrader
from stepalign.grading.spelling import normalize
from stepalign.grading.worker import Worker


class Grader:
    """Grades responses; may be called from several threads.

    Args:
        timeout_s: seconds that one comparison, or one program, may take.
        memory_limit_mb: address space of one worker process, or program, where the system can limit it.
        num_workers: processes, each started when first needed.
        patterns: where answers are looked for, see `extract_answer`; None is everywhere.
        thinking_open: the prompts end inside `<think>`, as the chat templates of some reasoning models do; a response
            that never closes it has no answer.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 5.0,
        memory_limit_mb: int = 1024,
        num_workers: int = 1,
        patterns: Sequence[str] | None = None,
        thinking_open: bool = False,
    ) -> None:
        limits = {"timeout_s": timeout_s, "memory_limit_mb": memory_limit_mb, "num_workers": num_workers}
        for name, value in limits.items():
            if not 0 < value < float("inf"):
                raise ConfigError(f"{name} is {value}; expected more than 0.")
        check_patterns(patterns)
        self.patterns = patterns
        self.thinking_open = thinking_open
        self._new_worker = partial(Worker, timeout_s, memory_limit_mb)
        self._num_workers = num_workers
        self._programs = ProgramGrader(timeout_s=timeout_s, memory_limit_mb=memory_limit_mb, num_workers=num_workers)
        self._hire()
        # what hangs once would hang again for every sample that says the same
        self._ask = lru_cache(maxsize=1 << 14)(self._ask_worker)

    def grade(self, text: str, answer: str | Problem) -> Grade:
        """Grade a response against the true answer, or a problem's. No response raises; each has an outcome."""
        if isinstance(answer, Problem):
            if answer.tests is not None:
                return self._programs.grade(text, answer, thinking_open=self.thinking_open)
            answer = answer.answer
        extracted = extract_answer(text, self.patterns, thinking_open=self.thinking_open)
        if extracted is None:
            return Grade(Outcome.UNPARSEABLE)
        return Grade(self.compare(unbox(answer), extracted), extracted)

    def grade_all(self, pairs: Iterable[tuple[str, str | Problem]]) -> Iterator[Grade]:
        """Grade (text, answer) pairs in order, on all workers at once."""
        pool = ThreadPoolExecutor(self._num_workers)
        try:
            for future in [pool.submit(self.grade, *pair) for pair in pairs]:
                while not wait([future], timeout=1.0).done:
                    pass  # a Ctrl-C that came just before an endless wait would not be seen
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def compare(self, gold: str, answer: str) -> Outcome:
        """Grade an answer that was already extracted."""
        if len(gold) > MAX_ANSWER_CHARS or len(answer) > MAX_ANSWER_CHARS:
            return Outcome.CORRECT if gold == answer else Outcome.UNPARSEABLE
        return plain_outcome(gold, answer) or self._ask(gold, answer)

    def group(self, answers: Sequence[str | None]) -> list[int | None]:
        """Group answers by mathematical equality, for maj@k.

        Returns:
            For each answer the number of its group, from 0 in the order of appearance; None for None. An answer that
            cannot be compared, as a program cannot, is grouped with identical texts only.
        """
        groups: dict[str, int] = {}
        leaders: list[str] = []  # the first answer of each group
        for answer in answers:
            if answer is None or _key(answer) in groups:
                continue
            group = next((i for i, leader in enumerate(leaders) if self._same(leader, answer)), len(leaders))
            if group == len(leaders):
                leaders.append(answer)
            groups[_key(answer)] = group
        return [None if answer is None else groups[_key(answer)] for answer in answers]

    def close(self) -> None:
        """Kill the worker processes. The grader may be used again; it then starts new ones."""
        for worker in self._workers:
            worker.close()
        self._programs.close()
        self._hire()

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _same(self, a: str, b: str) -> bool:
        if _is_program(a) or _is_program(b):
            return a == b
        outcome = plain_outcome(a, b)
        if outcome is None and not self._hangs(a) and not self._hangs(b):
            outcome = self.compare(a, b)
        return outcome is Outcome.CORRECT

    def _hangs(self, answer: str) -> bool:
        """Whether even the comparison with 0 never ends, so that it is waited for once and not once a group."""
        return self.compare("0", answer) is Outcome.TIMEOUT

    def _hire(self) -> None:
        """Workers that have not started; whoever still holds a closed one cannot start it again."""
        self._workers = [self._new_worker() for _ in range(self._num_workers)]
        self._idle: LifoQueue[Worker] = LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def _ask_worker(self, gold: str, answer: str) -> Outcome:
        idle = self._idle
        worker = idle.get()
        try:
            return worker.compare(gold, answer)
        finally:
            idle.put(worker)


def _key(answer: str) -> str:
    return answer if _is_program(answer) else normalize(answer)


def _is_program(answer: str) -> bool:
    return "\n" in answer and parses(answer)
