"""Sections on what training left beside its results: warnings, ledgers, settings, prompts, environment.

>>> [section.id for section in records(run.seed_runs, run.config_text, run.environment)]
['critics', 'settings', 'prompts', 'environment']
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepalign.report.numbers import MISSING, duration, listing, percent
from stepalign.report.page.sections import Cell, Column, Fold, Part, Section, Table, Texts, Words
from stepalign.report.page.text import clean
from stepalign.report.settings import Settings, compare_settings, in_words
from stepalign.runs.files import AUDIT
from stepalign.runs.reading import SeedRun
from stepalign.runs.row import read_mapping
from stepalign.runs.rows import LedgerRow

NOT_AUDITED = (
    "The critic was not audited: how often it finds the first wrong step is not known, and that its answers are right "
    "does not show it. See stepalign critique --audit."
)
PROMPTS = "Both prompts of the first rollout, as they were rendered."


def records(seed_runs: Sequence[SeedRun], config: str, environment: Mapping[str, Any]) -> list[Section]:
    """All of them but the warnings, in the order of a page; `config` is the text of `config.yaml`."""
    return [
        critics_section({name_of(seed, seed_runs): seed.ledger for seed in seed_runs}),
        _settings_section(seed_runs),
        _prompts_section(seed_runs),
        environment_section(config, environment),
    ]


def name_of(seed: SeedRun, seed_runs: Sequence[SeedRun]) -> str:
    """How a run is called among others: by condition and seed, or by its condition alone."""
    return f"{seed.condition}, seed {seed.seed}" if len(seed_runs) > 1 else seed.condition


def warnings_table(seed_runs: Sequence[SeedRun]) -> Table | None:
    """What guards saw while the conditions trained: a row a warning, in the order of the results."""
    rows = [
        [Cell(seed.condition, condition=seed.condition), seed.seed, str(row.step), str(row.message)]
        for seed in seed_runs
        for row in seed.warnings
    ]
    columns = [
        Column("Condition"),
        Column("Seed"),
        Column("Step", num=True),
        Column("What was seen, and what to do", wrap=True),
    ]
    aside = "From rules that compare the last logged steps with the first ones. Training went on."
    return Table("Warnings during training", columns, rows, aside, id="warnings") if rows else None


def critics_section(ledgers: Mapping[str, LedgerRow]) -> Section:
    """The critics' ledgers: a column for each, a row for each entry."""
    flat = {name: _flat(row) for name, ledger in ledgers.items() if (row := ledger.to_json())}
    keys = list(dict.fromkeys(key for ledger in flat.values() for key in ledger))
    columns = [Column("Entry", code=True), *(Column(name, num=True) for name in flat)]
    rows = [[key, *(_amount(key, ledger.get(key)) for ledger in flat.values())] for key in keys]
    table = Table("What the critics were asked and what came back", columns, rows) if rows else None
    return Section("critics", "Critics", [table])


def audit_sentence(directory: Path) -> str:
    """How often a critic finds the first wrong step, where the directory keeps its audit; else that nobody looked."""
    found = read_mapping(directory / AUDIT)
    if not found:
        return NOT_AUDITED
    shares = [
        f"{percent(found[key])} % of the {found[num]} {what}"
        for key, num, what in (
            ("accuracy_wrong", "num_wrong", "wrong ones"),
            ("accuracy_right", "num_right", "right ones"),
        )
        if found.get(key) is not None
    ]
    return f"The critic was audited on labelled rollouts: it judges {listing(shares)} as people did."


def settings_table(title: str, settings: Mapping[str, str]) -> Table:
    """A row a setting."""
    columns = [Column("Setting", code=True), Column("Value", wrap=True)]
    return Table(title, columns, [[key, value] for key, value in settings.items()])


def environment_section(config: str, environment: Mapping[str, Any], name: str = "config.yaml") -> Section:
    """Configuration and environment as they stand in their files."""
    found = json.dumps(clean(environment), indent=2, ensure_ascii=False) if environment else "Not written."
    texts = Texts([(name, config or "Not written."), ("environment.json", found)])
    return Section("environment", "Configuration and environment", [texts], short="Environment")


def version_of(environment: Mapping[str, Any]) -> str:
    """The version of stepalign that a run was made with, empty where it does not say."""
    packages = environment.get("packages")
    return str((packages if isinstance(packages, dict) else environment).get("stepalign") or "")


def _settings_section(seed_runs: Sequence[SeedRun]) -> Section:
    settings = compare_settings(seed_runs)
    parts: list[Part] = [Words([_said_of(settings, len({seed.condition for seed in seed_runs}))])]
    if settings.different:
        names = list(dict.fromkeys(seed.condition for seed in seed_runs))
        columns = [Column("Setting", code=True), *(Column(name, wrap=True) for name in names)]
        rows = [[key, *(values.get(name, MISSING) for name in names)] for key, values in settings.different.items()]
        parts.append(Table("What differs", columns, rows))
    if settings.same:
        table = settings_table("The same in all conditions" if len(seed_runs) > 1 else "All settings", settings.same)
        parts.append(Fold("Seed, problems, sampling, optimizer and the rest", [table]))
    return Section("settings", "Settings", parts)


def _said_of(settings: Settings, num_conditions: int) -> str:
    if not settings.same and not settings.different:
        return "No condition has written its configuration yet."
    known = in_words(settings)
    if num_conditions == 1:
        return f"{len(settings.same)} settings" + (f", among them: {known}." if known else ".")
    counts = f"{len(settings.same)} settings are the same in all conditions; {len(settings.different)} differ."
    return counts + (f" Among the same: {known}." if known else "")


def _prompts_section(seed_runs: Sequence[SeedRun]) -> Section:
    firsts = list({seed.condition: seed for seed in reversed(seed_runs)}.values())[::-1]
    kept = [(seed.condition, seed.prompts) for seed in firsts if seed.prompts]
    folds = [Fold(name, [_pair(name, prompts)]) if len(firsts) > 1 else _pair(name, prompts) for name, prompts in kept]
    return Section("prompts", "Prompts", [Words([PROMPTS]), *folds] if folds else [])


def _pair(name: str, prompts: Mapping[str, Any]) -> Texts:
    student, teacher = prompts.get("student"), prompts.get("teacher")
    pair = {
        "student": "Not recorded." if student is None else str(student),
        "self-teacher": "This condition has no self-teacher." if teacher is None else str(teacher),
    }
    return Texts([(f"{name}: {who}", text) for who, text in pair.items()])


def _flat(ledger: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in ledger.items():
        flat |= {f"{key}: {name}": item for name, item in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _amount(key: str, value: object) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return MISSING if value is None else str(value)
    return duration(value) if key.endswith("_s") else f"{value:,}"
