"""A critic's own accuracy: what it finds, misses, copies and answers."""

from __future__ import annotations

import json

import pytest

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.errors import ConfigError, DataError
from stepalign.core.files import read_json, write_json
from stepalign.data.label import Label
from stepalign.data.labels import load_labels
from stepalign.feedback.critics.audit import audit, identity, kept_audit
from stepalign.feedback.critics.build import check_critic
from stepalign.feedback.critics.critic import CritiqueRecord
from stepalign.feedback.critics.functions import FunctionCritic
from stepalign.feedback.critics.recorded import make_recorded_critic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.grading import Grader
from stepalign.micro import World, exact_critique, make_problems
from stepalign.micro.rollouts import labelled_rollouts

STEPS = ["1 + 1 = 2", "2 + 2 = 5", "5 + 1 = 6"]


def labels_with(*places):
    rows = [{"id": f"p{i}", "problem": "?", "answer": "5", "steps": STEPS} for i in range(len(places))]
    return load_labels([{**row, "first_wrong_step": place} for row, place in zip(rows, places, strict=True)])


def says(label, place, status="verified", num_copied=None):
    """A record of a critique that calls this step wrong, None: none."""
    num_copied = (len(STEPS) if place is None else place - 1) if num_copied is None else num_copied
    steps = [CritiqueStep(text, "copied") for text in STEPS[:num_copied]]
    steps += [CritiqueStep("else", "rewritten")] * (len(STEPS) - num_copied)
    critique = Critique("A" if place is None else "D", place, tuple(steps), "5")
    return CritiqueRecord(label.rollout.problem.id, 0, status, critique)


def test_rates_by_hand():
    labels = labels_with(2, 2, 2, 2, None, None)
    said = [2, 1, 3, None, None, 2]
    found = audit(labels, [says(label, place) for label, place in zip(labels, said, strict=True)], "edit")
    assert (found["num_wrong"], found["num_right"], found["num_unreadable"]) == (4, 2, 0)
    assert (found["accuracy_wrong"], found["accuracy_right"]) == (0.25, 0.5)
    assert found["f1"] == pytest.approx(2 * 0.25 * 0.5 / 0.75)
    assert (found["too_early"], found["too_late"], found["none_found"]) == (0.25, 0.25, 0.25)
    low, high = found["ci95"]["f1"]
    assert 0 <= low < found["f1"] < high <= 1


def test_copies_are_counted_by_the_label_and_not_by_the_critique():
    labels = labels_with(3, None, 1)
    records = [says(labels[0], 2), says(labels[1], None), says(labels[2], 1)]
    assert audit(labels, records, "edit")["verbatim_share"] == (0.5 + 1) / 2  # of two, of three; the third has none


def test_a_rejected_reply_is_read_for_what_it_says():
    labels = labels_with(2, 2, None)
    reply = json.dumps({"case": "D", "keep_steps": 1, "new_steps": ["2 + 2 = 7"], "answer": "7"})
    records = [
        CritiqueRecord("p0", 0, "skipped", None, "wrong_answer", reply),
        CritiqueRecord("p1", 0, "skipped", None, "not_json", "no idea"),
        CritiqueRecord("p2", 0, "skipped", None, "http_500"),
    ]
    found = audit(labels, records, "edit")
    assert (found["accuracy_wrong"], found["accuracy_right"], found["answer_rate"]) == (0.5, None, 0.0)
    assert (found["num_wrong"], found["num_unreadable"], found["num_without_reply"]) == (2, 1, 1)


def test_a_missing_justification_is_nothing_wrong():
    (label,) = labels_with(None)
    record = CritiqueRecord("p0", 0, "verified", Critique("B", 2, (), "5"))
    assert audit([label], [record], "edit")["accuracy_right"] == 1


def test_the_reference_in_the_place_of_a_critique_found_nothing():
    (label,) = labels_with(1)
    stand_in = Critique("D", None, (), "5", source="reference")
    assert audit([label], [CritiqueRecord("p0", 0, "unverified", stand_in, "leak", "?")], "edit")["num_unreadable"] == 1


def test_of_wrong_traces_alone_there_is_no_harmonic_mean():
    labels = labels_with(1, 2)
    found = audit(labels, [says(labels[0], 1), says(labels[1], 2)], "edit")
    assert (found["accuracy_right"], found["f1"], found["ci95"]["f1"]) == (None, None, None)


def test_the_exact_critic_finds_every_error_that_was_made():
    """The labels are known by construction, from another function than the critic's."""
    made = labelled_rollouts(make_problems(World(), 200, seed=5), seed=3)
    labels = [Label(rollout, wrong) for rollout, wrong in made]
    assert 20 < sum(label.first_wrong_step is None for label in labels) < 100
    with Grader() as grader:
        records = FunctionCritic(exact_critique, grader.grade, name="exact").critique(
            [label.rollout for label in labels]
        )
    found = audit(labels, records, "edit")
    rates = ("accuracy_wrong", "accuracy_right", "f1", "answer_rate", "verbatim_share")
    assert [found[name] for name in rates] == [1.0] * 5
    assert found["num_rollouts"] == 200


def test_an_audit_is_kept_beside_the_run_whose_critic_it_is_of(tmp_path):
    path = tmp_path / "audited" / "audit.json"
    settings = CriticSettings(critic="exact", critic_audit=str(path))
    write_json(path, {**identity(settings), "accuracy_wrong": 1.0})
    make_recorded_critic(settings, lambda text, problem: None, tmp_path)
    assert read_json(tmp_path / "audit.json") == read_json(path)


def test_an_audit_of_another_critic_is_an_error(tmp_path):
    path = tmp_path / "audit.json"
    settings = CriticSettings(critic="local", critic_model="m", critic_audit=str(path))
    with pytest.raises(DataError, match="cannot read"):
        check_critic(settings)
    write_json(path, {"num_rollouts": 3})
    with pytest.raises(DataError, match="no audit"):
        check_critic(settings)
    write_json(path, {**identity(settings), "protocol": "rewrite", "accuracy_wrong": 1.0})
    with pytest.raises(ConfigError, match="protocol is 'rewrite' there and 'edit' here"):
        check_critic(settings)
    assert kept_audit(CriticSettings(critic="local", critic_model="m")) is None
