"""Whether a directory holds the same run: what may not change is compared with what the run was started with.

>>> check_same({"seed": 1}, {"seed": 2}, "runs/mine holds a run")
Traceback (most recent call last):
    ...
stepalign.core.errors.ConfigError: ... seed is 1 there and 2 now. ...
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stepalign.core.errors import ConfigError
from stepalign.runs.world import WORLD

REMEDY = "Use another --output_dir, or the settings it was started with."
ABSENT_BEFORE = {"columns", "grader", "max_steps_without_context", WORLD}  # keys that runs of 0.1.0 did not write
BEFORE = {  # and what they did, where that can still be asked for
    **{"grpo_equal": "prompts", "peer_samples": None, "critic_judgement": False},
    **{"num_seen": 0, "out_of_domain_problems": None},
}


def check_same(
    stored: Mapping[str, object],
    now: Mapping[str, object],
    holds: str,
    *,
    may_change: Collection[str] = (),
    may_grow: Collection[str] = (),
) -> None:
    """Raises ConfigError where a setting that decides the result differs.

    Args:
        stored: the settings that the directory's run was started with.
        now: those of this call.
        holds: how the message begins, such as "runs/mine holds a run".
        may_change: names that are not compared.
        may_grow: names of lists that may have become longer.
    """
    stored = {**{name: value for name, value in BEFORE.items() if name in now}, **stored}
    free = {*may_change, *may_grow, *(ABSENT_BEFORE - stored.keys())}
    differing = [name for name in sorted({*stored, *now} - free) if stored.get(name) != now.get(name)]
    differing += [name for name in may_grow if not _items(stored.get(name)) <= _items(now.get(name))]
    if differing:
        name, more = differing[0], len(differing) - 1
        raise ConfigError(
            f"{holds} with other settings: {name} is {stored.get(name)} there and {now.get(name)} now"
            f"{f' (and {more} more)' if more else ''}. {REMEDY}"
        )


def _items(value: object) -> set[object]:
    return {*value} if isinstance(value, list) else set()
