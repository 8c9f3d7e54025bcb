"""Shape checks for the files of a run: each value is what the report needs, or a `DataError` says where it is not.

check_metrics("results.json: base", {"avg@12": "high"})       # DataError: expected a number as 'avg@12'; got 'high'.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from stepalign.core.errors import DataError
from stepalign.core.files import read_json, read_jsonl
from stepalign.report.comparison.metrics import RATES, accuracy_keys


def check_checkpoints(where: str, rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list):
        raise DataError(f"{where}: expected a list of checkpoints; got {type(rows).__name__}.")
    result: list[dict[str, Any]] = []
    for number, value in enumerate(rows, start=1):
        at = f"{where}, entry {number}"
        row = check_mapping(at, value)
        if not isinstance(row.get("step"), int):
            raise DataError(f"{at}: expected a whole number as 'step'; got {row.get('step')!r}.")
        _check_numbers(at, row, "num_rollouts", "num_generated_tokens", "wall_s")
        splits = {name: check_metrics(f"{at}, {name}", row.get(name)) for name in ("validation", "test")}
        result.append(row | splits)
    return result


def check_metrics(where: str, value: Any) -> dict[str, Any]:
    """Metrics with numbers where the report needs numbers."""
    metrics = check_mapping(where, value)
    _check_numbers(where, metrics, *accuracy_keys(metrics), *RATES)
    intervals = check_mapping(f"{where}.ci95", metrics.get("ci95"))
    return metrics | {"ci95": {key: _bounds(f"{where}.ci95.{key}", v) for key, v in intervals.items()}}


def _check_numbers(where: str, values: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if not isinstance(values.get(key), int | float | None):
            raise DataError(f"{where}: expected a number as '{key}'; got {values[key]!r}.")


def _bounds(where: str, value: Any) -> list[float] | None:
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(bound, int | float) for bound in value)):
        raise DataError(f"{where}: expected two numbers [low, high]; got {value!r}.")
    return value


def check_best(where: str, value: Any) -> dict[str, dict[str, Any]]:
    """The best test value and its step for each metric."""
    entries = {key: check_mapping(f"{where}.{key}", entry) for key, entry in check_mapping(where, value).items()}
    for key, entry in entries.items():
        _check_numbers(f"{where}.{key}", entry, "step", "value")
    return entries


def check_paired(where: str, value: Any) -> dict[str, Any]:
    """Paired differences, only those of the known shape: {pair: {metric: {"difference", "ci95"}}}."""
    result: dict[str, Any] = {}
    for pair, row in check_mapping(where, value).items():
        entries = row.items() if isinstance(row, dict) else ()
        known = {key: e for key, e in entries if isinstance(e, dict) and isinstance(e.get("difference"), int | float)}
        if known:
            result[pair] = {
                key: {"difference": e["difference"], "ci95": _bounds(f"{where}.{pair}.{key}.ci95", e.get("ci95"))}
                for key, e in known.items()
            }
    return result


def check_signal(where: str, value: Any) -> list[dict[str, Any]]:
    """The rollouts of `signal.json`, with lists as long as their tokens."""
    rollouts = check_mapping(where, value).get("rollouts") or []
    if not isinstance(rollouts, list):
        raise DataError(f"{where}: expected a list as 'rollouts'; got {type(rollouts).__name__}.")
    for number, entry in enumerate(rollouts, start=1):
        rollout = check_mapping(f"{where}, rollout {number}", entry)
        lists = {"tokens": rollout.get("tokens"), "token_steps": rollout.get("token_steps")}
        for name, context in check_mapping(f"{where}, rollout {number}, contexts", rollout.get("contexts")).items():
            lists[name] = check_mapping(f"{where}, rollout {number}, {name}", context).get("advantage")
        sizes = {name: len(items) if isinstance(items, list) else None for name, items in lists.items()}
        if None in sizes.values() or len(set(sizes.values())) != 1:
            raise DataError(f"{where}, rollout {number}: expected lists of one length; got {sizes}.")
    return rollouts


def check_mapping(where: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected an object; got {type(value).__name__}.")
    return value


def load_rows(path: Path, *required: str) -> list[dict[str, Any]]:
    rows = read_jsonl(path)
    for number, row in enumerate(rows, start=1):
        absent = [key for key in required if key not in row] if isinstance(row, dict) else list(required)
        if absent:
            raise DataError(f"{path}, row {number}: expected an object with {', '.join(map(repr, required))}.")
    return rows


def load_json(path: Path) -> dict[str, Any]:
    return check_mapping(str(path), read_json(path)) if path.exists() else {}


def load_yaml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        value = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path}: not YAML ({' '.join(str(error).split())}).") from None
    return check_mapping(str(path), value)
