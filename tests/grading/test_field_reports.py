"""Answers that users reported as graded wrong, and their neighbours that were graded right."""

import json
from pathlib import Path

import pytest

from stepalign.grading import Grader

REPORTS = Path(__file__).parents[2] / "../shared/data/field_reports/grading.jsonl"


@pytest.mark.skipif(not REPORTS.exists(), reason="needs the field reports, which are not in the repository")
def test_every_report_is_graded_right():
    rows = [json.loads(line) for line in REPORTS.read_text(encoding="utf-8").splitlines()]
    with Grader() as grader:
        outcomes = [grader.grade(row["text"], row["answer"]).outcome.value for row in rows]
    wrong = [
        (row["id"], outcome)
        for row, outcome in zip(rows, outcomes, strict=True)
        if outcome not in row["expect"].split("|")
    ]
    assert len({row["kind"] for row in rows}) == 21
    assert wrong == []
