"""`stepalign critique --audit`: the exact critic, a scripted server, and what goes wrong."""

from __future__ import annotations

import json

import pytest
from tests.fault_server import Answer, FaultServer, edit

from stepalign.cli import main

ROWS = [
    {"id": "p0", "problem": "2 + 2 + 1?", "answer": "5", "steps": ["2 + 2 = 4", "4 + 1 = 6"], "first_wrong_step": 2},
    {"id": "p1", "problem": "2 + 2?", "answer": "4", "steps": ["2 + 2 = 4", "#### 4"], "first_wrong_step": None},
]


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def audit(labels, tmp_path, *argv):
    return main(["critique", "--audit", str(labels), "--output_dir", str(tmp_path / "o"), *argv])


def test_the_exact_critic_is_right_about_200_micro_rollouts(tmp_path, capsys):
    assert main(["micro", "--output_dir", str(tmp_path), "--num_labels", "200", "--num_train", "0"]) == 0
    assert audit(tmp_path / "labels.jsonl", tmp_path, "--critic", "exact") == 0
    found = json.loads((tmp_path / "o" / "audit.json").read_text())
    assert [found[name] for name in ("accuracy_wrong", "accuracy_right", "f1", "answer_rate")] == [1.0] * 4
    assert (found["num_rollouts"], found["critic"], found["protocol"]) == (200, "exact", None)
    assert "finds the first wrong step of wrong traces: 100.0 % [100.0, 100.0]" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "o")]) == 0


def test_a_language_model_is_audited_with_its_cost_and_asked_once(labels, tmp_path, capsys):
    server = ["--critic_model", "m", "--critique_protocol", "edit", "--critic_num_reasks", "0"]
    with FaultServer(lambda n, body: Answer(edit("D", 1, ["4 + 1 = 5"], "5"))) as url_server:
        url = ["--critic_base_url", url_server.url]
        assert audit(labels, tmp_path, *url, *server) == 0
        found = json.loads((tmp_path / "o" / "audit.json").read_text())
        assert (found["accuracy_wrong"], found["accuracy_right"], found["f1"]) == (1.0, 0.0, 0.0)
        assert found["answer_rate"] == 0.5  # of the right trace the same reply, whose answer is wrong there
        assert (found["model"], found["protocol"], found["truth"]) == ("m", "edit", "solution")
        assert found["spent"]["num_requests"] == 2
        assert found["spent"]["tokens_out"] > 0
        assert audit(labels, tmp_path, *url, *server) == 0  # again: everything is in the cache
    again = json.loads((tmp_path / "o" / "audit.json").read_text())
    assert again["spent"]["num_requests"] == 0
    assert {**again, "spent": 0} == {**found, "spent": 0}


def test_a_critic_that_says_nothing_usable_is_audited_all_the_same(labels, tmp_path, capsys):
    with FaultServer(lambda n, body: Answer("I cannot tell.")) as server:
        argv = ["--critic_base_url", server.url, "--critic_model", "m", "--critic_num_reasks", "0"]
        assert audit(labels, tmp_path, *argv) == 0
    found = json.loads((tmp_path / "o" / "audit.json").read_text())
    assert (found["accuracy_wrong"], found["accuracy_right"], found["num_unreadable"]) == (0.0, 0.0, 2)
    assert "replies that say nothing of where it goes wrong: 2" in capsys.readouterr().out


def test_no_reply_is_no_miss(labels, tmp_path, capsys):
    def script(number, body):
        is_first = "4 + 1 = 6" in json.dumps(body)
        return Answer(edit("D", 1, ["4 + 1 = 5"], "5")) if is_first else Answer(status=400)

    with FaultServer(script) as server:
        argv = ["--critic_base_url", server.url, "--critic_model", "m", "--critique_protocol", "edit"]
        assert audit(labels, tmp_path, *argv) == 0
    found = json.loads((tmp_path / "o" / "audit.json").read_text())
    assert (found["accuracy_wrong"], found["accuracy_right"], found["num_without_reply"]) == (1.0, None, 1)
    assert "left out, since the critic gave no reply: 1" in capsys.readouterr().out


def test_no_reply_at_all_is_an_error(labels, tmp_path, capsys):
    with FaultServer(lambda n, body: Answer(status=400)) as server:
        assert audit(labels, tmp_path, "--critic_base_url", server.url, "--critic_model", "m") == 2
    assert "none of 2 critiques is verified" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--problems", "P.jsonl"], "--audit, which brings problems and samples"),
        (["--critic_audit", "nowhere.json"], "nowhere.json"),
    ],
)
def test_settings_that_do_not_go_together(labels, tmp_path, capsys, argv, words):
    assert audit(labels, tmp_path, "--critic", "exact", *argv) == 2
    assert words in capsys.readouterr().err


def test_without_an_audit_problems_and_samples_are_needed(tmp_path, capsys):
    argv = ["critique", "--output_dir", str(tmp_path / "out"), "--critic", "exact"]
    assert main([*argv, "--problems", "P.jsonl"]) == 2
    assert "critique needs samples" in capsys.readouterr().err
    (tmp_path / "S.jsonl").write_text('{"problem_id": "p", "text": "x"}\n')
    assert main([*argv, "--samples", str(tmp_path / "S.jsonl")]) == 2
    assert "samples with a problem_id need their problems; got none" in capsys.readouterr().err


def test_an_audit_is_kept_beside_later_critiques(labels, tmp_path):
    main(["micro", "--output_dir", str(tmp_path), "--num_labels", "5", "--num_train", "2"])
    assert audit(tmp_path / "labels.jsonl", tmp_path, "--critic", "exact") == 0
    problem = json.loads((tmp_path / "train.jsonl").read_text().splitlines()[0])
    sample = {"problem_id": problem["id"], "sample": 0, "text": problem["solution"]}
    (tmp_path / "S.jsonl").write_text(json.dumps(sample) + "\n")
    argv = ["critique", "--problems", str(tmp_path / "train.jsonl"), "--samples", str(tmp_path / "S.jsonl")]
    argv += ["--critic", "exact", "--critic_audit", str(tmp_path / "o" / "audit.json")]
    assert main([*argv, "--output_dir", str(tmp_path / "c")]) == 0
    assert (tmp_path / "c" / "audit.json").read_bytes() == (tmp_path / "o" / "audit.json").read_bytes()
