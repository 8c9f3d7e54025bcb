"""The command that counts what each critique protocol costs: on a few rollouts, and its sums on hand-made rows."""

import json
import sys

import pytest
from benchmarks.protocols import WORDS, main, measure, summarize, table

from stepalign.micro import World, make_problems
from stepalign.micro.rollouts import made_rollouts

ROLLOUTS = made_rollouts(make_problems(World(), 40, 0), 0)


def run(monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["protocols", *map(str, options)])
    main()


def test_every_group_of_rollouts_is_counted(tmp_path, monkeypatch, capsys):
    run(monkeypatch, "--output_dir", tmp_path, "--num_rollouts", 60)
    written = json.loads((tmp_path / "protocols.json").read_text())
    summary, rows = written["summary"], written["rollouts"]
    assert {"all", "case A", "case B", "case C", "case D", "case D, step 1", "case D, step 2"} <= set(summary)
    assert summary["all"]["num_rollouts"] == 60 == sum(summary[f"case {case}"]["num_rollouts"] for case in "ABCD")
    for protocol, ledger in written["ledgers"].items():
        assert ledger["num_requests"] == ledger["num_verified"] == 60
        assert ledger["tokens_out"] == sum(row[protocol]["tokens"] for row in rows)  # what the server said
        assert summary["all"]["verified_rate"][protocol] == summary["all"]["verbatim_rate"][protocol] == 1
    assert summary["case A"]["new_step_tokens"] == 0 < summary["case A"]["overhead_tokens"]["min"]
    assert summary["case A"]["ratio"] < summary["all"]["ratio"] < 1
    shown = (tmp_path / "protocols.md").read_text()
    assert len(shown.splitlines()) == 2 + len(summary) and shown in capsys.readouterr().out


def row(edit, rewrite, new, kept, left_alone, verbatim):
    protocols = {"edit": (edit, left_alone), "rewrite": (rewrite, verbatim)}
    return {
        "case": "D",
        "first_wrong_step": kept + 1,
        "num_steps": 4,
        "num_kept": kept,
        "num_left_alone": left_alone,
        "new_step_tokens": new,
        "dropped_step_tokens": new,
    } | {
        name: {"tokens": tokens, "is_verified": True, "num_verbatim": number, "is_same_case": True}
        for name, (tokens, number) in protocols.items()
    }


def test_sums():
    summary = summarize([row(120, 200, 100, 1, 1, 1), row(80, 200, 40, 3, 3, 1)])
    both = summary["all"]
    assert both["tokens"] == {"edit": 100, "rewrite": 200} and both["ratio"] == 0.5 == both["kept_rate"]
    assert both["overhead_tokens"] == {"mean": 30, "min": 20, "max": 40}
    assert both["most_above"] == pytest.approx(80 - 44) and both["num_over_bound"] == 1
    assert both["verbatim_rate"] == {"edit": 1, "rewrite": 0.5}
    assert summary["case D, step 4"]["tokens"]["edit"] == 80
    assert "| case D, step 2 | 1 | 0.25 | 120 | 200 | 0.60 | 100 | 20.0 (20 to 20) | 10.0 | 1.000 / 1.000 |" in table(
        summary
    )


def test_a_reply_that_is_rejected_counts_as_nothing(monkeypatch):
    wrong = '{"case":"D","keep_steps":0,"new_steps":["so 0"],"answer":"0"}'
    monkeypatch.setitem(WORDS, "edit", lambda rollout: wrong)
    rows, ledgers = measure(ROLLOUTS, len)
    summary = summarize(rows)["all"]
    assert ledgers["edit"]["num_rejected"] == {"wrong_answer": 40}
    assert summary["verified_rate"] == {"edit": 0, "rewrite": 1} == summary["verbatim_rate"]
    assert summary["same_case_rate"]["edit"] == 0 and summary["tokens"]["edit"] == len(wrong)


def test_a_tokenizer_that_is_not_there(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, "--output_dir", tmp_path, "--tokenizer", tmp_path / "none")
    assert end.value.code == 2 and "--tokenizer: '" in capsys.readouterr().err
