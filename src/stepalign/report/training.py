"""The report of a training run: one condition and seed, with its curves, grades, warnings, rollouts and records.

>>> html = render_page(trained)
>>> [word in html for word in ("refsol", "Training rollouts by step", "config.yaml")]
[True, True, True]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stepalign.core.rollout import Outcome
from stepalign.report.curves import chart_data, curves
from stepalign.report.numbers import count, duration, percent, percent_interval
from stepalign.report.page.sections import Cell, Charts, Column, Section, Summary, Table, render
from stepalign.report.probes import scored_rollouts
from stepalign.report.records import audit_sentence, records, version_of, warnings_table
from stepalign.report.rollouts import Shown, browser_data, context_side, pack_rollouts
from stepalign.runs import files
from stepalign.runs.evaluations import accuracy_keys, main_key
from stepalign.runs.problems import used_problems
from stepalign.runs.reading import SeedRun, read_training
from stepalign.runs.row import read_mapping
from stepalign.runs.rows import RolloutRow
from stepalign.runs.world import MICRO, world_of

CHARTS = (  # of training, those that have a chart of their own
    *("loss", *(f"rollouts/{outcome}_rate" for outcome in Outcome)),
    *("completions/mean_length", "completions/clipped_ratio", "entropy", "feedback/skipped_rate", "probe/auroc"),
)
STRETCHES = 10  # rows of the table of grades


def render_page(directory: Path) -> str:
    """The whole report as one HTML document."""
    run, environment = read_training(directory), read_mapping(directory / files.ENVIRONMENT)
    keys = accuracy_keys(row.on(split) for row in run.checkpoints for split in ("validation", "test"))
    rows, problems = run.rollouts(), used_problems(directory)
    scored = scored_rollouts(directory, run.condition)
    archive = pack_rollouts(
        [
            Shown(row, sides=[context_side(row)], scored=scored.get((row.problem_id, row.sample, row.text)))
            for row in rows
        ]
    )
    path = directory / files.CONFIG
    evaluated = [_evaluations(run, split, keys) for split in ("validation", "test")]
    summary = Summary(
        [("What was trained", [_trained(run, rows, len(problems))]), ("What came out", _outcome(run, rows, keys))],
        [("Keep in mind", [*_cautions(run), *_on_critic(run, directory)])],
    )
    return render(
        run.condition,
        [
            Section("summary", "Summary", [summary]),
            Section("results", "Results", [*evaluated, _grades(rows), warnings_table([run])]),
            Section("curves", "Curves", [Charts(evaluated=bool(keys))]),
            Section(
                "rollouts",
                "Rollouts",
                [archive.browser("training rollouts", "The run has no training rollouts yet.")],
            ),
            *records([run], path.read_text("utf-8", errors="replace") if path.exists() else "", environment),
        ],
        {
            "conditions": [run.condition],
            **chart_data(keys, CHARTS),
            "curves": curves([run], keys),
            **browser_data(problems, columns=("step", "problem_id", "sample", "grade")),
        },
        name=directory.resolve().name,
        version=version_of(environment),
        finished=not _left(run),
        chunks=archive.chunks,
        packed=archive.packed(),
    )


def _last_step(run: SeedRun) -> int:
    return max((row.step for row in run.metrics), default=0)


def _left(run: SeedRun) -> int:
    """Steps that are not trained yet; none where the run may have stopped by itself."""
    most, patience = run.config.get("max_steps"), run.config.get("early_stopping_patience")
    return most - _last_step(run) if isinstance(most, int) and most > 0 and not patience else 0


def _trained(run: SeedRun, rows: Sequence[RolloutRow], num_problems: int) -> str:
    model = run.config.get("model_name_or_path")
    solver = f" Solver: {model}." if model else ""
    problems = f" {num_problems:,} problems." if num_problems else ""
    took = run.metrics[-1] if run.metrics else None
    spent = f", {count(took.num_generated_tokens)} generated tokens in {duration(took.wall_s)}" if took else ""
    of = f" of {run.config['max_steps']}" if _left(run) else ""
    steps = f"Steps: {_last_step(run)}{of}; {len(rows):,} rollouts{spent}."
    return f"One condition: {run.condition}, seed {run.seed}.{solver}{problems} {steps}"


def _outcome(run: SeedRun, rows: Sequence[RolloutRow], keys: Sequence[str]) -> list[str]:
    key, lines = main_key(keys), list[str]()
    if key and run.selected is not None:
        last = run.checkpoints[-1]
        lines.append(
            f"The best checkpoint on validation is that of step {run.selected.step}: {key} "
            f"{percent(run.selected.validation.get(key))} %. The last one, of step {last.step}: "
            f"{percent(last.validation.get(key))} %."
        )
    stretches = _stretches(rows)
    if not stretches:
        return [*lines, "No step is trained yet."]
    shares = [(name, _share(part, Outcome.CORRECT)) for name, part in (stretches[0], stretches[-1])]
    words = " and ".join(f"{percent(share)} % in {name}" for name, share in dict(shares).items())
    return [*lines, f"Right training rollouts: {words}."]


def _cautions(run: SeedRun) -> list[str]:
    lines = [f"This run is not finished: {_left(run)} steps are left."] if _left(run) else []
    if run.warnings:
        lines.append("Training may have gone wrong: see the warnings under Results.")
    lines.append(
        "Training rollouts are of the problems that are trained on. How good the model is, held-out problems say."
    )
    if not run.checkpoints:
        lines.append("No checkpoint was evaluated: set validation_problems, or evaluate one with stepalign evaluate.")
    if world_of(run.config) == MICRO:
        lines.append("The micro world is constructed: its numbers are no evidence about language models at large.")
    return lines


def _on_critic(run: SeedRun, directory: Path) -> list[str]:
    """Whether the critic that was asked is known to find errors; the exact one computes."""
    is_asked = bool(run.ledger) and run.config.get("critic") != "exact"
    return [audit_sentence(directory)] if is_asked else []


def _evaluations(run: SeedRun, split: str, keys: Sequence[str]) -> Table | None:
    """A row a checkpoint; the one with the best validation value stands out."""
    evaluated = [row for row in run.checkpoints if row.on(split)]
    rows = [
        [
            str(row.step),
            *(
                Cell(percent(row.on(split).get(key)), below=percent_interval(row.on(split).interval(key)))
                for key in keys
            ),
            count(row.num_generated_tokens),
            duration(row.wall_s),
        ]
        for row in evaluated
    ]
    best = [i for i, row in enumerate(evaluated) if run.selected is not None and row.step == run.selected.step]
    columns = [
        Column("Step"),
        *(Column(key, num=True) for key in keys),
        Column("Tokens", num=True),
        Column("Time", num=True),
    ]
    aside = "In percent, with 95 % bootstrap intervals over problems; the best on validation stands out."
    return Table(f"Checkpoints on {split} problems", columns, rows, aside, strong=best) if rows else None


def _stretches(rows: Sequence[RolloutRow]) -> list[tuple[str, list[RolloutRow]]]:
    """The rollouts in at most `STRETCHES` runs of steps, each named after them."""
    steps = sorted({row.step for row in rows if row.step is not None})
    size = -(-len(steps) // STRETCHES) or 1
    groups = [steps[at : at + size] for at in range(0, len(steps), size)]
    return [
        (
            f"step {group[0]}" if len(group) == 1 else f"steps {group[0]} to {group[-1]}",
            [row for row in rows if row.step is not None and group[0] <= row.step <= group[-1]],
        )
        for group in groups
    ]


def _grades(rows: Sequence[RolloutRow]) -> Table | None:
    stretches = _stretches(rows)
    cells = [
        [
            name,
            f"{len(part):,}",
            *(percent(_share(part, outcome)) for outcome in Outcome),
            percent(sum(row.finish_reason == "length" for row in part) / len(part)),
        ]
        for name, part in stretches
    ]
    names = ["Rollouts", *(str(outcome) for outcome in Outcome), "cut off"]
    columns = [Column("Steps"), *(Column(name, num=True) for name in names)]
    aside = "In percent; cut off: at the token limit. Curves of the same are further down."
    return Table("Training rollouts by step", columns, cells, aside) if cells else None


def _share(rows: Sequence[RolloutRow], outcome: Outcome) -> float:
    return sum(row.grade == outcome for row in rows) / len(rows)
