"""`results.json` of a comparison: its checkpoints, which of them count, and how the conditions differ.

>>> from stepalign.core.files import read_json
>>> results = Results.read("results.json: ", read_json(run.directory / "results.json"))
>>> results.conditions["grpo"].seeds["0"].selected.test["avg@12"]
0.7
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from stepalign.runs.evaluations import EvaluationMetrics, EvaluationRow
from stepalign.runs.row import EMPTY, Bounds, Number, Row, each, mapping, part, place, read_list


def _checkpoints(where: str, key: str, value: object) -> list[EvaluationRow]:
    return read_list(place(where, key), value or [], EvaluationRow)


def _selected(where: str, key: str, value: object) -> EvaluationRow | None:
    found = mapping(place(where, key), value)
    return EvaluationRow.read(place(where, key), found) if found.get("test") else None


def _pairs(where: str, key: str, value: object) -> dict[str, Any]:
    pairs = each(_differences)(where, key, value)
    return {pair: row for pair, row in pairs.items() if row}


def _differences(where: str, key: str, value: object) -> dict[str, Any]:
    """Only those of the known shape."""
    entries = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    rows = {name: cast("dict[str, Any]", entry) for name, entry in entries.items() if isinstance(entry, dict)}
    known = {name: row for name, row in rows.items() if isinstance(row.get("difference"), int | float)}
    return {name: Difference.read(f"{place(where, key)}.{name}", row) for name, row in known.items()}


class Best(Row):
    """The best test value of one metric, and the step that has it."""

    step: Number = None
    value: Number = None


class SeedResult(Row):
    """One condition and seed: its checkpoints, and those that the two rules of `stepalign.runs.choose` take."""

    checkpoints: Annotated[Sequence[EvaluationRow], _checkpoints] = ()
    best: Annotated[Mapping[str, Best], each(part(Best))] = EMPTY
    selected: Annotated[EvaluationRow | None, _selected] = None


class Mean(Row):
    """A metric's mean over seeds, with its interval over seeds and problems."""

    value: Number = None
    ci95: Bounds = None


class ConditionResult(Row):
    """One condition: its seeds, and the means of its selected checkpoints over them."""

    seeds: Annotated[Mapping[str, SeedResult], each(part(SeedResult))] = EMPTY
    selected_mean: Annotated[Mapping[str, Mean], each(part(Mean))] = EMPTY


class Difference(Row):
    """How much higher one condition is than another in one metric, paired over problems."""

    difference: float
    ci95: Bounds = None
    share_above_0: Number = None


class PairedDifference(Row):
    """One condition minus another in one metric, a share, paired over problems and, where both have them, seeds; at the
    checkpoints selected on validation. `is_control`: what is subtracted is a control."""

    condition: str
    minus: str
    metric: str
    value: float
    ci95: Bounds = None
    is_control: bool = False


def _paired_differences(where: str, key: str, value: object) -> list[PairedDifference]:
    return read_list(place(where, key), value or [], PairedDifference)


class Results(Row):
    """The whole file."""

    base: Annotated[EvaluationMetrics, part(EvaluationMetrics)] = EvaluationMetrics()
    conditions: Annotated[Mapping[str, ConditionResult], each(part(ConditionResult))] = EMPTY
    base_validation: Annotated[EvaluationMetrics, part(EvaluationMetrics)] = EvaluationMetrics()
    paired: Annotated[Mapping[str, Mapping[str, Difference]], _pairs] = EMPTY
    differences: Annotated[Sequence[PairedDifference], _paired_differences] = ()
