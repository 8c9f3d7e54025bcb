import json

import pytest

from stepalign.core.critique import Context, Critique, CritiqueStep
from stepalign.core.files import read_jsonl, write_text
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.text import clean_text, clean_value, parse_json


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("ein Ä und 😀", "ein Ä und 😀"),
        ("a\ud83db", "a\ufffdb"),
        ("cut \ud83d", "cut \ufffd"),
        ("\ude00 first", "\ufffd first"),
        ("\ud83d\ude00", "😀"),
        ("\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
    ],
)
def test_halves_of_pairs_are_replaced_and_pairs_joined(text, clean):
    assert clean_text(text) == clean
    clean_text(text).encode("utf-8")


def test_what_is_clean_is_the_very_same_object():
    value = {"a": ["ä", 1, None, {"b": "x"}]}
    assert clean_value(value) is value
    assert clean_value({"\ud83d": [{"b": "\ud83d"}, 2]}) == {"\ufffd": [{"b": "\ufffd"}, 2]}


@pytest.mark.parametrize("data", ['["\\ud83d"]', b'["\\ud83d"]', b'["\xed\xa0\xbd"]', '["\ud83d"]'])
def test_json_is_clean_however_the_half_was_spelled(data):
    assert parse_json(data) == ["\ufffd"]


def test_problems_rollouts_critiques_and_contexts_can_always_be_written():
    problem = Problem("p\ud83d", "a\ud83d", "b\ud83d", "c\ud83d")
    assert list(problem.to_json().values()) == ["p\ufffd", "a\ufffd", "b\ufffd", "c\ufffd"]
    assert Rollout(problem, 0, "x\ud83d").text == "x\ufffd"
    critique = Critique("D", 1, (CritiqueStep("s\ud83d", "rewritten"),), "1\ud83d")
    assert critique.text == "<step_1>s\ufffd</step_1>\n<answer>1\ufffd</answer>"
    assert Context("c\ud83d").text == "c\ufffd"


def test_files_hold_no_halves_and_give_none_out(tmp_path):
    write_text(tmp_path / "t.txt", "a\ud83d")
    assert (tmp_path / "t.txt").read_text(encoding="utf-8") == "a\ufffd"
    (tmp_path / "r.jsonl").write_text(json.dumps({"text": "a\ud83d", "ids": [1, 2]}) + "\n")
    assert read_jsonl(tmp_path / "r.jsonl") == [{"text": "a\ufffd", "ids": [1, 2]}]
