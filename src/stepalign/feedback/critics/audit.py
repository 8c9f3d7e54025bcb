"""The critic's own accuracy: on rollouts whose first wrong step people marked, does it find it?

    >>> found = audit(labels, critic.critique([label.rollout for label in labels]), "edit")
    >>> found["accuracy_wrong"], found["accuracy_right"], found["f1"]
    (1.0, 1.0, 1.0)

Answer verification does not see this: a critique that copies the error and corrects a later step reaches the answer,
too. What counts is where a reply says that the trace goes wrong first, used or not: of a rejected critique what its
last reply amounts to. A reply that cannot be read is a miss, on a wrong trace and on a right one; where there was no
reply at all, the rollout is left out and counted. `f1` is the harmonic mean of the two accuracies, as ProcessBench
scores (arXiv 2412.06559). Critics there see no solution; here they see what critic_truth says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from stepalign.clients.client import Reply
from stepalign.core.critique import Critique
from stepalign.core.errors import ConfigError, DataError
from stepalign.core.files import read_json
from stepalign.core.rollout import Rollout
from stepalign.data.label import Label
from stepalign.feedback.critics.critic import CritiqueRecord, Rejected
from stepalign.feedback.critics.protocols import parse_edit, parse_rewrite
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.critics.verify import verbatim_counts
from stepalign.feedback.critiques import first_wrong_step, judging
from stepalign.maths.intervals import Interval, bootstrap_interval, harmonic_bootstrap

LANGUAGE_MODELS = ("openai", "local", "micro")
PARSERS = {"edit": parse_edit, "rewrite": parse_rewrite}


def audit(labels: Sequence[Label], records: Sequence[CritiqueRecord], protocol: str) -> dict[str, Any]:
    """What `audit.json` says of a critic, but for its name and its cost.

    Args:
        labels: what it was asked about.
        records: what came of each, in order.
        protocol: edit or rewrite: how its replies are read.
    Returns:
        Rates are 0 to 1, None where there is nothing to take one of; `ci95` has their intervals over rollouts.
        `answer_rate`: critiques that were verified, which reach the right answer. `verbatim_share`: of the correct
        steps, how many stand unchanged from the start, a mean over the critiques that can be read. `too_early`,
        `too_late`, `none_found`: shares of the wrong traces.
    """
    pairs = [(label, record) for label, record in zip(labels, records, strict=True) if has_replied(record)]
    said = [(label, judgement(label.rollout, record, protocol)) for label, record in pairs]
    wrong = [_missed_by(label, critique) for label, critique in said if label.first_wrong_step is not None]
    right = [_missed_by(label, critique) for label, critique in said if label.first_wrong_step is None]
    hits = [float(miss == 0) for miss in wrong], [float(miss == 0) for miss in right]
    answered = [float(record.status == "verified") for label, record in pairs if label.rollout.problem.answer]
    rates = {
        "accuracy_wrong": _interval(hits[0]),
        "accuracy_right": _interval(hits[1]),
        "f1": harmonic_bootstrap(*hits) if all(hits) else None,
        "answer_rate": _interval(answered),
        "verbatim_share": _interval(_copied(said)),
        "too_early": _interval([float(miss is not None and miss < 0) for miss in wrong]),
        "too_late": _interval([float(miss is not None and 0 < miss < NEVER) for miss in wrong]),
        "none_found": _interval([float(miss == NEVER) for miss in wrong]),
    }
    return {
        "num_rollouts": len(labels),
        "num_wrong": len(wrong),
        "num_right": len(right),
        "num_unreadable": sum(critique is None for _, critique in said),
        "num_without_reply": len(labels) - len(pairs),
        **{name: found.estimate if found else None for name, found in rates.items()},
        "ci95": {name: [found.low, found.high] if found else None for name, found in rates.items()},
    }


def identity(settings: CriticSettings) -> dict[str, Any]:
    """What an audit is of: the critic, and where it is a language model the model, the protocol and the truth shown."""
    is_model = settings.critic in LANGUAGE_MODELS
    return {
        "critic": settings.critic,
        "model": settings.critic_model if is_model else None,
        "protocol": settings.critique_protocol if is_model else None,
        "truth": settings.critic_truth if is_model else None,
    }


def kept_audit(settings: CriticSettings) -> dict[str, Any] | None:
    """The audit that the settings name, None where they name none.

    Raises:
        DataError: the file is not there, or is no audit.
        ConfigError: it is of another critic, model or protocol.
    """
    if not settings.critic_audit:
        return None
    found = read_json(Path(settings.critic_audit))
    if not isinstance(found, dict) or "accuracy_wrong" not in found:
        raise DataError(f"critic_audit {settings.critic_audit}: no audit; expected audit.json of critique --audit.")
    audited = cast("dict[str, Any]", found)
    for name, value in identity(settings).items():
        if audited.get(name) != value:
            raise ConfigError(
                f"critic_audit {settings.critic_audit} is of another critic: {name} is {audited.get(name)!r} there and "
                f"{value!r} here. Audit this one, or leave it out."
            )
    return audited


NEVER = 10**9  # a wrong trace of which it says that no step is wrong


def has_replied(record: CritiqueRecord) -> bool:
    """Whether the critic said anything of the rollout."""
    return judging(record.critique) is not None or record.reply is not None


def judgement(rollout: Rollout, record: CritiqueRecord, protocol: str) -> Critique | None:
    """The critique of a record, or what its rejected reply amounts to; None where that cannot be read."""
    if (critique := judging(record.critique)) is not None:
        return critique
    if record.reply is None:
        return None
    try:
        return PARSERS[protocol](Reply(record.reply), rollout)
    except Rejected:
        return None


def _missed_by(label: Label, critique: Critique | None) -> int | None:
    """By how many steps the critique misses the first wrong step; on a right trace 0 or `NEVER`; None: unreadable."""
    if critique is None:
        return None
    found = first_wrong_step(label.rollout, critique)
    if found is None or label.first_wrong_step is None:
        return 0 if found == label.first_wrong_step else NEVER
    return found - label.first_wrong_step


def _copied(said: Sequence[tuple[Label, Critique | None]]) -> list[float]:
    """Of each readable critique the share of the trace's correct steps that it copies; only where there are any."""
    shares: list[float] = []
    for label, critique in said:
        wrong = label.first_wrong_step
        num_correct = len(label.steps) if wrong is None else wrong - 1
        if critique is not None and num_correct:
            shares.append(verbatim_counts(label.rollout, critique, num_correct)[0] / num_correct)
    return shares


def _interval(values: Sequence[float]) -> Interval | None:
    return bootstrap_interval(values) if values else None
