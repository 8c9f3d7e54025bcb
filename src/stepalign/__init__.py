"""stepalign: self-distillation from feedback that follows the model's own reasoning step by step.

Everything here is imported when it is first used, so `import stepalign` is quick and needs no torch.

    from stepalign import parse_trace, grade_answer, load_problems, build_context, train, evaluate, compare, report
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepalign.api import compare as compare
    from stepalign.api import critique as critique
    from stepalign.api import curate as curate
    from stepalign.api import evaluate as evaluate
    from stepalign.api import grade as grade
    from stepalign.api import inspect as inspect
    from stepalign.api import inspect_case as inspect_case
    from stepalign.api import localize as localize
    from stepalign.api import preflight as preflight
    from stepalign.api import train as train
    from stepalign.core.critique import Context as Context
    from stepalign.core.critique import Critique as Critique
    from stepalign.core.critique import CritiqueStep as CritiqueStep
    from stepalign.core.problem import Problem as Problem
    from stepalign.core.rollout import Grade as Grade
    from stepalign.core.rollout import Outcome as Outcome
    from stepalign.core.rollout import Rollout as Rollout
    from stepalign.core.trace import Trace as Trace
    from stepalign.core.trace import parse_trace as parse_trace
    from stepalign.data.problems import load_problems as load_problems
    from stepalign.data.samples import load_samples as load_samples
    from stepalign.feedback.formats import FeedbackFormat as FeedbackFormat
    from stepalign.feedback.formats import build_context as build_context
    from stepalign.feedback.formats import register_feedback as register_feedback
    from stepalign.grading import extract_answer as extract_answer
    from stepalign.grading import grade_answer as grade_answer
    from stepalign.settings.trainer import SelfDistillationConfig as SelfDistillationConfig
    from stepalign.training.self_distillation import SelfDistillationTrainer as SelfDistillationTrainer

_HOMES = {
    "Context": "stepalign.core.critique",
    "Critique": "stepalign.core.critique",
    "CritiqueStep": "stepalign.core.critique",
    "FeedbackFormat": "stepalign.feedback.formats",
    "Grade": "stepalign.core.rollout",
    "Outcome": "stepalign.core.rollout",
    "Problem": "stepalign.core.problem",
    "Rollout": "stepalign.core.rollout",
    "SelfDistillationConfig": "stepalign.settings.trainer",
    "SelfDistillationTrainer": "stepalign.training.self_distillation",
    "Trace": "stepalign.core.trace",
    "build_context": "stepalign.feedback.formats",
    "compare": "stepalign.api",
    "critique": "stepalign.api",
    "curate": "stepalign.api",
    "evaluate": "stepalign.api",
    "extract_answer": "stepalign.grading",
    "grade": "stepalign.api",
    "grade_answer": "stepalign.grading",
    "inspect": "stepalign.api",
    "inspect_case": "stepalign.api",
    "load_problems": "stepalign.data.problems",
    "load_samples": "stepalign.data.samples",
    "localize": "stepalign.api",
    "parse_trace": "stepalign.core.trace",
    "preflight": "stepalign.api",
    "register_feedback": "stepalign.feedback.formats",
    "report": "stepalign.report",  # the room itself, which can be called
    "train": "stepalign.api",
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("stepalign")
    if name not in _HOMES:
        raise AttributeError(f"module 'stepalign' has no attribute '{name}'")
    home = import_module(_HOMES[name])
    value = home if home.__name__ == f"stepalign.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
