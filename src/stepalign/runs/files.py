"""The names of the files of a run, each once. Writers and readers take them from here.

>>> METRICS
'metrics.jsonl'
"""

from __future__ import annotations

from pathlib import Path

# of any run: its resolved settings, and what it ran on
CONFIG, ENVIRONMENT = "config.yaml", "environment.json"

# of a training run, which is also what a comparison has for each condition and seed
METRICS, ROLLOUTS, WARNINGS, PROMPTS = "metrics.jsonl", "rollouts.jsonl", "warnings.jsonl", "prompts.json"
TEACHER = "teacher.jsonl"
PROBES, PROBED, PROBES_DIRECTORY = "probes.jsonl", "probes/rollouts.jsonl", "probes"
INSPECTED = "inspected.jsonl"  # rollouts that inspect was asked for
EVALUATIONS, BEST, LEDGER = "evaluations.jsonl", "best.json", "ledger.json"
PROGRESS = "progress.json"  # of a checkpoint: written last, it seals it

# of a comparison; SETTINGS and LOG are each condition's and seed's
RESULTS, SIGNAL, REPORT, SETTINGS, LOG = "results.json", "signal.json", "report.html", "settings.yaml", "log.txt"
BASE, CONDITIONS, PROBLEMS_DIRECTORY = "base", "conditions", "problems"
SPLITS = ("train", "validation", "test")

# of the other commands: evaluate, grade, critique, inspect, preflight, curate
SAMPLES, PARTIAL_SAMPLES, EVALUATION = "samples.jsonl", "samples.partial.jsonl", "evaluation.json"
TEST_METRICS, GRADES, CRITIQUES = "metrics.json", "grades.json", "critiques.jsonl"
AUDIT = "audit.json"  # the critic's own accuracy; a run keeps a copy of its critic's
ADVANTAGE, INSPECTION = "advantage.json", "inspect.html"
FUNNEL, CURATION = "funnel.json", "curation.sqlite"
PREFLIGHT, PREFLIGHT_SETTINGS, PROBLEMS = "preflight.json", "settings.json", "problems.jsonl"

# of localize: what was found, its settings, A_t of each rollout under each context, their tokens, what it took
LOCALIZATION, LOCALIZE_SETTINGS, SCORES = "localization.json", "localize.json", "scores.jsonl"
TOKENS, CONTEXTS, TIMING, USED_LABELS = "tokens.jsonl", "contexts.jsonl", "timing.json", "labels.used.jsonl"

# what a command was given, kept beside what it made of it: under names that no file of the user's has
USED_PROBLEMS, USED_SAMPLES = "problems.used.jsonl", "samples.used.jsonl"


def problems_file(run: Path, split: str) -> Path:
    """The problems of one split of a comparison."""
    return run / PROBLEMS_DIRECTORY / f"{split}.jsonl"


def seed_directory(run: Path, condition: str, seed: int | str) -> Path:
    """The directory of one condition and seed of a comparison."""
    return run / CONDITIONS / condition / f"seed_{seed}"


def seed_directories(run: Path) -> list[Path]:
    """Those that are there, by name."""
    return sorted(run.glob(f"{CONDITIONS}/*/seed_*"))


def checkpoint_directory(run: Path, step: int) -> Path:
    """The checkpoint of a training run after so many steps."""
    return run / f"checkpoint-{step}"


def checkpoints(run: Path) -> list[Path]:
    """The sealed checkpoints of a training run, first step first."""
    sealed = (path.parent for path in run.glob(f"checkpoint-*/{PROGRESS}"))
    return sorted(sealed, key=lambda path: int(path.name.split("-")[-1]))


def is_trained(run: Path, max_steps: int) -> bool:
    """Whether a training run has its last checkpoint. One that ends after epochs (`max_steps` -1) cannot be told."""
    return max_steps > 0 and checkpoints(run)[-1:] == [checkpoint_directory(run, max_steps)]
