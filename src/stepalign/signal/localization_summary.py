"""`localization.json`, from the files that scoring left: what the contexts of each format did, and what made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from stepalign.core.files import stream_jsonl
from stepalign.core.token_classes import token_classes
from stepalign.feedback.conditions import needs_critic
from stepalign.feedback.formats import feedback_class
from stepalign.runs import files
from stepalign.settings.localization import ResolvedLocalization
from stepalign.signal.localization_measures import Collected, Known, collect
from stepalign.signal.preflight_records import Key, key_in, key_of

SPLICED = "spliced from label and reference solution"


def summarize(run: ResolvedLocalization) -> dict[str, Any]:
    """What `localization.json` holds; also of a localization that is not finished."""
    settings, labels = run.settings, run.labels
    known = _known(run)
    statuses: Counter[tuple[str, str]] = Counter()

    def counted() -> Iterator[dict[str, Any]]:
        for row in stream_jsonl(run.directory / files.SCORES):
            statuses[row["format"], row["status"]] += 1
            yield row

    found = collect(counted(), known)
    conditions: dict[str, dict[str, Any]] = {}
    for name in settings.conditions:
        summary = found.get(name, Collected()).summary()
        without, too_long = statuses[name, "none"], statuses[name, "too_long"]
        counts = {"num_without_context": without, "num_too_long": too_long}
        lacks = _lacks(name, run) if without else ""
        conditions[name] = {"num_rollouts": summary.pop("num_rollouts"), **counts, "lacks": lacks, **summary}
    places = [label.first_wrong_step for label in labels]
    return {
        "model": settings.model,
        "adapter": settings.adapter,
        "prompt_templates": settings.prompt_templates,
        "critiques": critiques_from(run) if any(map(needs_critic, settings.conditions)) else None,
        "num_rollouts": len(labels),
        "num_wrong": len(places) - places.count(None),
        "num_wrong_at_first_step": places.count(1),
        "num_right": places.count(None),
        "conditions": conditions,
    }


def critiques_from(run: ResolvedLocalization) -> str:
    """Where the critiques are from, in words."""
    if run.settings.critiques is not None:
        return f"from {run.settings.critiques}"
    if run.critic is not None:
        return " ".join(filter(None, ("by critic", run.critic.critic, run.critic.critic_model)))
    return SPLICED


def _known(run: ResolvedLocalization) -> dict[Key, Known]:
    """What is known of the rollouts that have been scored, in the order of the labels."""
    wrong = {key_of(label.rollout): label.first_wrong_step for label in run.labels}
    found = {
        key_in(row): Known(row["token_steps"], token_classes(row["tokens"]), wrong[key_in(row)])
        for row in stream_jsonl(run.directory / files.TOKENS)
    }
    return {key: found[key] for key in wrong if key in found}


def _lacks(name: str, run: ResolvedLocalization) -> str:
    """What rollouts without a context under this format lack."""
    feedback = feedback_class(name)
    if not feedback.needs_critic:
        return feedback.needs
    if run.critic is not None or run.settings.critiques is not None:
        return "a critique"
    reason = ", and the annotator's reason" if feedback.needs_judgement else ""
    return f"the right answer, and where the first step is wrong a reference solution or a correction{reason}"
