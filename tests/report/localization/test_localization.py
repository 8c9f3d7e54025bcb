"""The page and the table of a localization, and what pages say of a critic's audit."""

from __future__ import annotations

import html
import json
import re

import pytest
from rich.console import Console

from stepalign.core.files import read_json, write_json
from stepalign.report.localization.measures import MEASURES, mean, notes
from stepalign.report.localization.terminal import print_localization
from stepalign.report.write import write_report

from ..directories import write


@pytest.fixture
def directory(tmp_path):
    return write("localize", tmp_path / "localized")


def page(directory):
    return html.unescape(write_report(directory).read_text())


def test_the_page_says_what_was_measured(directory):
    text = page(directory)
    assert "2 rollouts with a human label of the first wrong step, under micro." in text
    assert "refsol tells the wrong step from the correct ones before it best: AUROC 1.00 [1.00, 1.00]" in text
    assert "refsol: +0.38 [+0.38, +0.38] nats on correct steps, -1.88 [-1.88, -1.88] on the first wrong one." in text
    assert "Critiques: by critic exact." in text
    assert "refsol: 1 rollouts have no context: they lack a solution." in text
    assert "for 3 sequences of 300 tokens" in text
    for section in ("summary", "measures", "parts", "signal", "rollouts", "settings", "environment"):
        assert f'<section id="{section}"' in text
    assert "Mean A_t on the tokens of the first wrong step, by their kind" in text
    assert "first rollout whose second step is the first wrong one" in text


def test_the_first_screen_and_the_kinds_of_tokens_are_drawn(directory):
    text = write_report(directory).read_text()
    where, auroc, *kinds = (json.loads(html.unescape(found)) for found in re.findall(r'data-bars="(.*?)"', text))
    assert [name for name, _ in where["groups"]] == ["refsol", "stepalign"]
    assert [(bar["label"], bar["value"]) for bar in where["groups"][0][1]] == [
        ("correct steps", 0.375),
        ("first wrong step", -1.875),
    ]
    assert [bar["label"] for bar in auroc["groups"][0][1]] == ["refsol", "stepalign"]
    assert [chart["title"] for chart in kinds] == [
        "Mean A_t on the tokens of correct steps, by their kind",
        "Mean A_t on the tokens of the first wrong step, by their kind",
    ]
    assert text.index('class="lead"') < text.index("data-bars") < text.index("<table")


def test_an_unfinished_localization_has_a_page(directory):
    for name in ("localization.json", "signal.json", "timing.json"):
        (directory / name).unlink()
    text = page(directory)
    assert "This localization is not finished" in text
    assert "No rollout has been scored yet." in text
    assert "All 2 labelled rollouts." in text


def test_the_table_has_a_row_a_context(directory, capsys):
    print_localization(read_json(directory / "localization.json"), Console(width=200, color_system=None))
    out = capsys.readouterr().out
    assert "│ refsol    │" in out and "│ stepalign │" in out
    assert all(name in out for name in MEASURES)
    assert "100 [100, 100] (50)" in out


def test_numbers_in_words():
    entry = {"value": -0.004, "ci95": [-1.256, 0.3], "num_rollouts": 3}
    assert mean(entry, "+") == "+0.00 [-1.26, +0.30]"
    assert mean({"value": None, "ci95": None, "num_rollouts": 0}) == "–"
    assert mean({"value": 0.25, "ci95": [0.1, 0.4], "num_rollouts": 3}, scale=100) == "25 [10, 40]"


def test_notes_are_said_where_they_hold(directory):
    result = read_json(directory / "localization.json")
    quiet = {**result, "model": "m", "critiques": None, "num_rollouts": 30, "conditions": {}}
    assert notes(quiet) == []
    loud = notes({**result, "num_right": 2, "num_wrong_at_first_step": 3})
    assert any("3 rollouts go wrong in their first step" in line for line in loud)
    assert any("2 rollouts have no wrong step" in line for line in loud)
    assert any("are few" in line for line in loud)
    assert "constructed" in loud[-1]


AUDITED = {
    **{"critic": "openai", "model": "Qwen/QwQ-32B", "protocol": "edit", "truth": "solution", "num_rollouts": 10},
    **{
        "num_wrong": 8,
        "num_right": 2,
        "num_unreadable": 1,
        "num_without_reply": 2,
        "accuracy_wrong": 0.75,
        "accuracy_right": 0.5,
        "f1": 0.6,
    },
    "ci95": {"accuracy_wrong": [0.5, 1.0], "accuracy_right": [0.0, 1.0], "f1": [0.2, 0.9]},
    "spent": {"num_requests": 10, "tokens_in": 9000, "tokens_out": 800, "cost": 0.5, "wall_s": 3.0},
}


@pytest.mark.parametrize("command", ["critique", "train"])
def test_a_report_says_whether_the_critic_was_audited(command, tmp_path):
    directory = write(command, tmp_path / command)
    if command == "train":
        config = directory / "config.yaml"
        config.write_text(config.read_text().replace("critic: exact", "critic: openai"))
        write_json(directory / "ledger.json", {"num_samples": 8})
    assert "The critic was not audited" in page(directory)
    write_json(directory / "audit.json", AUDITED)
    text = page(directory)
    assert "75.0 % of the 8 wrong ones and 50.0 % of the 2 right ones as people did" in text
    assert "was not audited" not in text


def test_the_page_of_an_audit_has_its_numbers(tmp_path):
    directory = write("critique", tmp_path / "audited")
    write_json(directory / "audit.json", AUDITED)
    text = page(directory)
    assert "openai Qwen/QwQ-32B, protocol edit, truth shown: solution, on 10 labelled rollouts" in text
    assert "75.0 % [50.0, 100.0]" in text and "9,000" in text


def test_the_exact_critic_needs_no_audit(tmp_path):
    directory = write("train", tmp_path / "train")
    config = directory / "config.yaml"
    config.write_text("critic: exact\n" + config.read_text())
    assert "audited" not in page(directory)
