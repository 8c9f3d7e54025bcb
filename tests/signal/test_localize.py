"""Labelled rollouts under contexts, on the micro solver: what is measured, and that a start after a kill goes on."""

from __future__ import annotations

import json

import pytest

from stepalign.core.errors import ConfigError, CriticError, DataError
from stepalign.core.files import read_json, read_jsonl, write_jsonl
from stepalign.data.label import Label
from stepalign.micro import World, make_problems
from stepalign.micro.code import CodeWorld, code_problems
from stepalign.micro.code.rollouts import labelled_programs
from stepalign.micro.rollouts import labelled_rollouts
from stepalign.report.write import write_report
from stepalign.runs import files
from stepalign.settings.commands import LOCALIZE
from stepalign.settings.given import given_values
from stepalign.settings.localization import resolve_localization
from stepalign.signal import localize as module
from stepalign.signal.labelled_scores import Scorer
from stepalign.signal.localize import localize

WORLD = World(min_steps=2, max_steps=3)
NAMES = ["none", "refsol", "stepalign", "random_step"]


@pytest.fixture(scope="module")
def rows():
    """Twelve rollouts: some right, some wrong from their first, second or third step on."""
    made = labelled_rollouts(make_problems(WORLD, 12, seed=2), seed=1)
    return [Label(rollout, wrong).to_json() for rollout, wrong in made]


@pytest.fixture
def start(tmp_path, rows):
    """`start(directory, setting=...)` localizes and returns what came out."""
    write_jsonl(tmp_path / "labels.jsonl", rows)

    def localized(directory="out", **given):
        given = {"labels": str(tmp_path / "labels.jsonl"), "conditions": NAMES, "critic": "exact", **given}
        given = {name: value for name, value in given.items() if value is not None}
        asked = given_values(LOCALIZE, None, {"model": "micro", "output_dir": str(tmp_path / directory), **given})
        return localize(resolve_localization(asked))

    return localized


def test_an_aligned_context_finds_the_error(start, rows, tmp_path):
    result = start()
    aligned, none = result["conditions"]["stepalign"], result["conditions"]["none"]
    later = [row for row in rows if (row["first_wrong_step"] or 1) > 1]
    assert aligned["num_rollouts"] == len(rows) == 12
    assert aligned["auroc_step"] == {"value": 1.0, "ci95": [1.0, 1.0], "num_rollouts": len(later)}
    assert none["auroc_step"]["value"] < 1
    assert aligned["mean_correct"]["value"] > 0 > aligned["mean_wrong"]["value"] > aligned["min_wrong"]["value"]
    assert result["conditions"]["refsol"]["mean_correct"]["value"] < -0.5  # another author's words
    assert result["critiques"] == "by critic exact"
    assert read_json(tmp_path / "out" / files.LOCALIZATION) == result


def test_who_counts_in_which_measure(start, rows):
    result = start()
    places = [row["first_wrong_step"] for row in rows]
    wrong, first, right = len(places) - places.count(None), places.count(1), places.count(None)
    assert min(wrong, first, right) > 0
    assert (result["num_wrong"], result["num_wrong_at_first_step"], result["num_right"]) == (wrong, first, right)
    counts = {
        name: of["num_rollouts"]
        for name, of in result["conditions"]["refsol"].items()
        if isinstance(of, dict) and "value" in of
    }
    assert counts == {
        "mean_correct": len(places) - first,
        "mean_wrong": wrong,
        "min_wrong": wrong,
        "auroc_step": wrong - first,
        "hit_rate": wrong,
        "chance": wrong,
    }


def test_parts_add_up_to_the_whole(start):
    of = start()["conditions"]["refsol"]
    for key in ("by_place", "by_num_steps"):
        assert (
            sum(group["mean_wrong"]["num_rollouts"] for group in of[key].values()) == of["mean_wrong"]["num_rollouts"]
        )
    assert set(of["by_place"]) <= {"1", "2", "3", "4", "5+", "none"}
    assert of["by_place"]["none"]["mean_wrong"] == {"value": None, "ci95": None, "num_rollouts": 0}
    assert of["token_classes"]["digit"]["wrong"]["value"] is not None
    assert of["token_classes"]["hedge"]["wrong"]["num_rollouts"] == 0


def test_two_runs_give_the_same_digits(start, tmp_path):
    start("one")
    start("two")
    for name in (files.LOCALIZATION, files.SCORES, files.CONTEXTS, files.SIGNAL):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_another_seed_draws_other_steps(start, tmp_path):
    drawn = [start(f"seed{seed}", seed=seed, conditions=["random_step"])["conditions"] for seed in (0, 1)]
    assert drawn[0] != drawn[1]


class Killed(Exception):
    pass


def test_a_start_after_a_kill_goes_on_to_the_same_digits(start, tmp_path, monkeypatch):
    whole = start("whole")
    rows_of, calls = Scorer.rows, []

    def once(self, rollouts, names):
        calls.append(len(rollouts))
        if len(calls) > 1:
            raise Killed
        return rows_of(self, rollouts, names)

    monkeypatch.setattr(module, "CHUNK", 5)
    monkeypatch.setattr(Scorer, "rows", once)
    with pytest.raises(Killed):
        start()
    scores = tmp_path / "out" / files.SCORES
    assert len(read_jsonl(scores)) == 5 * len(NAMES)
    scores.write_bytes(scores.read_bytes()[:-300])  # the kill fell into the writing
    calls.clear()

    def counted(self, rollouts, names):
        calls.append(len(rollouts))
        return rows_of(self, rollouts, names)

    monkeypatch.setattr(Scorer, "rows", counted)
    assert start() == whole
    assert calls == [5, 5, 2]
    keys = [(row["format"], row["problem_id"]) for row in read_jsonl(scores)]
    assert len(keys) == len(set(keys)) == 12 * len(NAMES)


def test_what_is_finished_is_not_scored_again(start, monkeypatch):
    before = start()

    def never(*args):
        raise AssertionError

    monkeypatch.setattr(module, "_load_policy", never)
    assert start() == before


def test_a_format_may_be_added_later(start, tmp_path):
    start(conditions=["refsol"])
    result = start(conditions=["refsol", "stepalign"])
    assert list(result["conditions"]) == ["refsol", "stepalign"]
    alone = start("alone", conditions=["stepalign"])
    assert result["conditions"]["stepalign"] == alone["conditions"]["stepalign"]


@pytest.mark.parametrize(("name", "value"), [("seed", 3), ("prompt_templates", "steps"), ("num_rollouts", 3)])
def test_other_settings_are_an_error_and_change_nothing(start, tmp_path, name, value):
    start(conditions=["refsol"])
    before = (tmp_path / "out" / files.LOCALIZE_SETTINGS).read_bytes()
    with pytest.raises(ConfigError, match=f"holds a localization.*{name} is"):
        start(conditions=["refsol"], **{name: value})
    assert (tmp_path / "out" / files.LOCALIZE_SETTINGS).read_bytes() == before


def test_other_labels_are_an_error(start, rows, tmp_path):
    start(conditions=["refsol"])
    write_jsonl(tmp_path / "labels.jsonl", rows[1:])
    with pytest.raises(ConfigError, match="of other rollouts"):
        start(conditions=["refsol"])


def test_without_a_critic_critiques_are_spliced_and_that_is_said(start):
    result = start(critic=None, conditions=["stepalign", "whole_attempt", "correction"])
    assert result["critiques"] == "spliced from label and reference solution"
    assert result["conditions"]["stepalign"]["num_rollouts"] == 12


def test_what_a_condition_lacks_is_said(start, rows, tmp_path):
    bare = [{key: value for key, value in row.items() if key != "solution"} for row in rows]
    write_jsonl(tmp_path / "labels.jsonl", bare)
    conditions = start(critic=None, conditions=["refsol", "stepalign", "describe", "answer"])["conditions"]
    assert conditions["refsol"]["num_rollouts"] == 0
    assert conditions["refsol"]["num_without_context"] == 12
    assert "solution" in conditions["refsol"]["lacks"]
    assert conditions["refsol"]["mean_correct"] == {"value": None, "ci95": None, "num_rollouts": 0}
    told = sum(row["first_wrong_step"] != 1 for row in rows)  # the answer follows the right steps
    assert conditions["stepalign"]["num_rollouts"] == told < 12
    assert "where the first step is wrong" in conditions["stepalign"]["lacks"]
    assert conditions["describe"]["lacks"].endswith("and the annotator's reason")
    assert (conditions["answer"]["num_rollouts"], conditions["answer"]["lacks"]) == (12, "")


def test_critiques_from_a_file(start, rows, tmp_path):
    steps = [{"text": step, "origin": "copied"} for step in rows[0]["steps"]]
    row = {"problem_id": rows[0]["id"], "sample": 0, "status": "verified", "case": "A", "first_wrong_step": None}
    skipped = {"problem_id": rows[1]["id"], "sample": 0, "status": "skipped", "case": None, "steps": [], "answer": None}
    path = tmp_path / "critiques.jsonl"
    write_jsonl(path, [{**row, "steps": steps, "answer": "1"}, skipped])
    result = start(critic=None, critiques=str(path), conditions=["stepalign"])
    assert result["critiques"] == f"from {path}"
    assert result["conditions"]["stepalign"]["num_rollouts"] == 1
    assert result["conditions"]["stepalign"]["lacks"] == "a critique"
    contexts = {row["problem_id"]: row["context"] for row in read_jsonl(tmp_path / "out" / files.CONTEXTS)}
    assert contexts[rows[0]["id"]].endswith("<answer>1</answer>")
    assert contexts[rows[1]["id"]] is None


def test_a_response_that_does_not_fit_is_counted_and_never_cut(start):
    conditions = start(conditions=["none", "refsol"], max_teacher_prompt_length=60)["conditions"]
    assert (conditions["none"]["num_too_long"], conditions["refsol"]["num_too_long"]) == (0, 12)
    assert conditions["refsol"]["num_rollouts"] == 0


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"conditions": []}, ConfigError, "got none"),
        ({"conditions": ["grpo"]}, ConfigError, "no context to score under"),
        ({"conditions": ["refsool"]}, ConfigError, "perhaps you meant 'refsol'"),
        ({"critiques": "c.jsonl"}, ConfigError, "got both"),
        ({"critic": None, "critiques": "c.jsonl", "conditions": ["random_step"]}, ConfigError, "which step to write"),
        ({"critic": None, "critiques": "c.jsonl", "conditions": ["stepalign"]}, DataError, "no such file"),
        ({"labels": "nowhere.jsonl"}, DataError, "nowhere.jsonl"),
        ({"conditions": ["describe"]}, ConfigError, "in prose"),
        (
            {"critic": "openai", "critic_base_url": "http://127.0.0.1:9", "critic_model": "m"},
            CriticError,
            "127.0.0.1:9",
        ),
    ],
)
def test_what_cannot_work_is_told_first(start, tmp_path, given, error, words):
    with pytest.raises(error) as raised:
        start(**given)
    assert words in str(raised.value)
    assert not (tmp_path / "out" / files.SCORES).exists()


def test_the_rollouts_shown_are_chosen_by_a_rule(start, rows, tmp_path):
    start(conditions=["refsol", "stepalign"])
    shown = read_json(tmp_path / "out" / files.SIGNAL)["rollouts"]
    expected = [next(row["id"] for row in rows if row["first_wrong_step"] == place) for place in (2, 3, None)]
    assert [row["problem_id"] for row in shown] == expected
    assert [row["kind"] for row in shown] == ["wrong_step", "wrong_step", "correct"]
    assert "".join(shown[0]["tokens"]) == shown[0]["text"]
    assert list(shown[0]["contexts"]) == ["refsol", "stepalign"]


def test_what_it_took_is_added_up_over_sessions(start, tmp_path):
    start(conditions=["refsol"])
    first = read_json(tmp_path / "out" / files.TIMING)
    assert first["num_sequences"] == 24  # a student and a teacher for each
    start(conditions=["refsol", "none"])
    second = json.loads((tmp_path / "out" / files.TIMING).read_text())
    assert second["num_sequences"] == 48
    assert second["cpu_s"] > first["cpu_s"] > 0


def test_programs_are_run_and_their_lines_are_the_steps(start, tmp_path):
    made = labelled_programs(code_problems(CodeWorld(), 6, seed=2), seed=1)
    write_jsonl(tmp_path / "code.jsonl", [Label(rollout, wrong).to_json() for rollout, wrong in made])
    names = ["stepalign", "whole_attempt", "execution", "refsol"]
    found = start(labels=str(tmp_path / "code.jsonl"), model="micro-code", conditions=names)["conditions"]
    assert found["execution"]["num_rollouts"] == 6  # each was run: a failing test, or that it passes
    assert found["stepalign"]["mean_wrong"]["value"] < 0 < found["whole_attempt"]["mean_wrong"]["value"]
    assert found["stepalign"]["auroc_step"]["value"] > 0.9
    assert write_report(tmp_path / "out").is_file()
