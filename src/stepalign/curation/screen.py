"""The cheap stages, a row at a time, before anything is sampled: readable, wanted, new, gradable, no near-duplicate.

>>> from stepalign.data.sources import open_source
>>> screen = Screen(arguments, store, grader, evaluation_index(arguments.evaluation_sets, n=8))
>>> [screen(entry).problem.id for entry in open_source("problems.jsonl")]       # or a Decision that drops the row
['micro-0000', 'micro-0001', 'micro-0002']
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Outcome
from stepalign.curation.overlap import RunIndex, runs, text_key
from stepalign.curation.store import Decision, Store
from stepalign.data.sources import Entry, open_source
from stepalign.grading import AnyGrader, OwnGrader, extract_answer
from stepalign.settings.curate import CurateSettings

log = logging.getLogger(__name__)

MOST_WARNINGS = 5  # rows that cannot be read are counted; the first ones are also shown
PROBES = ("0", "nothing")  # an answer that neither a number nor a word can be compared with cannot be graded


class Candidate(NamedTuple):
    """A row that passed the cheap stages."""

    position: int
    problem: Problem


class Screen:
    """The cheap stages in order. Rows must come in the order of their positions."""

    def __init__(self, arguments: CurateSettings, store: Store, grader: AnyGrader, evaluation: RunIndex) -> None:
        self._arguments, self._store, self._grader, self._evaluation = arguments, store, grader, evaluation
        self._wanted = [tuple(word.split("=", 1)) for word in arguments.where]
        self._num_warnings = 0

    def __call__(self, entry: Entry) -> Candidate | Decision:
        """The row as a candidate, or what dropped it."""
        if entry.problem is None:
            self._warn(entry.trouble)
            return Decision(entry.position, stage="well_formed", detail={"trouble": entry.trouble[:500]})
        stage, reason = self._stage(entry.position, entry.problem)
        if stage:
            return Decision(entry.position, entry.problem.id, stage, reason)
        return Candidate(entry.position, entry.problem)

    def _stage(self, position: int, problem: Problem) -> tuple[str, str]:
        """The stage that drops a problem and why; two empty texts where none does."""
        for name, value in self._wanted:
            if str(problem.meta.get(name)) != value:
                return "wanted", name
        key = text_key(problem.problem)
        if self._store.has_earlier(key, position):
            return "first_seen", ""
        trouble = answer_trouble(problem.answer, self._grader)
        if trouble:
            return "usable_answer", trouble
        self._store.remember_text(key, position)  # only now: a later row may have the same problem and a usable answer
        found = runs(problem.problem, self._arguments.ngram_words)
        share, _ = self._evaluation.nearest(found)
        if share > self._arguments.evaluation_overlap:
            return "not_in_evaluation_sets", ""
        if self._arguments.problem_overlap < 1:
            share, _ = self._store.nearest(found, position)
            if share > self._arguments.problem_overlap:
                return "no_near_duplicate", ""
            self._store.remember_runs(found, position)
        return "", ""

    def _warn(self, trouble: str) -> None:
        self._num_warnings += 1
        if self._num_warnings <= MOST_WARNINGS:
            log.warning("%s", trouble)
        if self._num_warnings == MOST_WARNINGS:
            log.warning("further rows that cannot be read are counted and not shown")


def answer_trouble(answer: str, grader: AnyGrader) -> str:
    """Why the right answer could not be told from a wrong one by the grader; empty where it could.

    It must be found again where the solver is asked to put it, and be comparable with a number or a word.
    """
    if not answer.strip():
        return "no_answer"
    if isinstance(grader, OwnGrader):  # only the function knows what it can grade
        return ""
    extracted = extract_answer(f"<answer>{answer}</answer>", ("answer_tag",))
    if extracted is None:
        return "not_extractable"
    outcomes = []
    for probe in PROBES:
        outcome = grader.compare(extracted, probe)
        if outcome in (Outcome.CORRECT, Outcome.WRONG):
            return ""
        outcomes.append(outcome)
    return Outcome.TIMEOUT.value if Outcome.TIMEOUT in outcomes else Outcome.UNPARSEABLE.value


def evaluation_index(names: Iterable[str], n: int) -> RunIndex:
    """The problems of the evaluation sets, to be found again by their runs of n words.

    Raises:
        ConfigError: a set without a problem; also what `open_source` raises.
    """
    index = RunIndex(n)
    for name in names:
        problems = [entry.problem for entry in open_source(name) if entry.problem is not None]
        if not problems:
            raise ConfigError(f"evaluation set '{name}' has no problem that can be read. Correct or remove it.")
        for problem in problems:
            index.add(problem.id, problem.problem)
    return index
