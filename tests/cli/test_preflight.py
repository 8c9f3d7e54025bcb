"""`stepalign preflight` from its command line, at a size of seconds."""

import json

import pytest

from stepalign.cli import main
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.models.random_init import save_random_qwen3

QUICK = ["--config", "micro", "--num_problems", "3", "--num_samples", "2", "--max_completion_length", "40",
         "--micro_num_train", "8", "--eval_batch_size", "4"]  # fmt: skip


def preflight(out, *more):
    return main(["preflight", *QUICK, "--output_dir", str(out), *more])


def test_it_ends_with_a_table_verdicts_and_all_numbers_in_a_file(tmp_path, capsys):
    out = tmp_path / "pre"
    assert preflight(out, "--conditions", "grpo", "refsol", "stepalign") == 0
    text = capsys.readouterr().out
    assert "teacher solves" in text
    assert "Expected to train best" in text or "No format is expected" in text
    assert f"stepalign report {out}" in text
    assert main(["report", str(out)]) == 0
    assert "constructed" in text and "3 problems are few" in text
    result = json.loads((out / "preflight.json").read_text())
    assert set(result["formats"]) == {"refsol", "stepalign"} == set(result["ranking"])
    assert result["num_problems"] == 3 and len(result["rows"]) == 6 and result["is_micro"]
    for summary in result["formats"].values():
        assert summary["verdict"] in ("go", "caution", "cannot tell", "no-go") and summary["reasons"]
        assert summary["solves"]["num_problems"] == 3
    assert result["formats"]["stepalign"]["price_per_rollout"]["tokens_in"] == 0  # the exact critic computes
    assert result["formats"]["refsol"]["price_per_rollout"] is None
    assert {row["problem_id"] for row in result["rows"]} <= {f"micro-{i:04d}" for i in range(8)}


def test_where_everything_is_cut_off_it_cannot_tell(tmp_path, capsys):
    out = tmp_path / "pre"
    assert preflight(out, "--conditions", "refsol", "--max_completion_length", "8") == 0
    text = capsys.readouterr().out
    assert "refsol: cannot tell. 100 % of the responses were cut off (student 100 %, teacher 100 %): raise" in text
    assert "from these responses it cannot be told" in text and "does not help" not in text
    rows = [" ".join(line.replace("│", " ").split()) for line in text.splitlines()]
    assert "cut off, student / teacher 100 % / 100 %" in rows
    assert "no answer found, student / teacher 100 % / 100 %" in rows
    assert json.loads((out / "preflight.json").read_text())["formats"]["refsol"]["verdict"] == "cannot tell"


def test_started_again_it_goes_on_and_other_settings_are_not_mixed_in(tmp_path, capsys, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert preflight(whole, "--conditions", "refsol") == 0
    from stepalign.signal import preflight as module

    sample_responses, calls = module.sample_responses, []

    def dies_after_one_batch(*args):
        for batch in sample_responses(*args):
            if calls:
                raise KeyboardInterrupt
            calls.append(len(batch))
            yield batch

    monkeypatch.setattr(module, "sample_responses", dies_after_one_batch)
    assert preflight(cut, "--conditions", "refsol") == 130
    assert len(read_jsonl(cut / "teacher.jsonl")) == calls[0] == 4
    monkeypatch.setattr(module, "sample_responses", sample_responses)
    capsys.readouterr()
    assert preflight(cut, "--conditions", "refsol", "--seed", "7") == 2
    assert "seed is 42 there and 7 now" in capsys.readouterr().err
    assert preflight(cut, "--conditions", "refsol", "--num_problems", "2") == 2
    assert "other problems" in capsys.readouterr().err
    assert preflight(cut, "--conditions", "refsol", "--critic_concurrency", "3") == 0  # how, not what
    one, other = (json.loads((path / "preflight.json").read_text()) for path in (whole, cut))
    assert one == other


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--conditions", "grpo"], "got no feedback format"),
        (["--conditions", "refsoll"], "perhaps you meant 'refsol'"),
        (["--problems", "missing.jsonl"], "missing.jsonl"),
        (["--num_problems", "0"], "num_problems: got 0; expected 1 or more"),
        (["--num_samples", "0"], "num_samples: got 0; expected 1 or more"),
        (["--critic", "exct"], "unknown critic 'exct'"),
        (["--model_name_or_path", "./no/model"], "no model directory './no/model'"),
        (["--num_problem", "3"], "perhaps you meant 'num_problems'"),
        (["--prompt_templates", "bair"], "perhaps you meant 'bare'"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(tmp_path, capsys, argv, message):
    assert preflight(tmp_path / "pre", *argv) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_a_format_that_needs_a_critic_says_so_without_one(tmp_path, capsys):
    argv = ["preflight", "--model_name_or_path", "micro", "--conditions", "stepalign", "--output_dir", str(tmp_path)]
    assert main(argv) == 2
    assert "feedback 'stepalign' needs a critic; got none" in capsys.readouterr().err


def test_without_a_directory_it_says_so(capsys):
    assert main(["preflight"]) == 2
    assert "preflight needs --output_dir" in capsys.readouterr().err


def test_help_shows_its_own_settings_first(capsys):
    assert main(["preflight", "--help"]) == 0
    text = capsys.readouterr().out
    assert text.index("--num_problems") < text.index("--condition ") and "--eval_seed" not in text


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """A preflight that sampled, and its rollouts as a file of samples."""
    out = tmp_path_factory.mktemp("sampled") / "pre"
    assert preflight(out, "--conditions", "refsol") == 0
    rows = [{key: row[key] for key in ("problem_id", "sample", "text")} for row in read_jsonl(out / "rollouts.jsonl")]
    write_jsonl(out.parent / "samples.jsonl", rows)
    return out


class TestSamplesThatAreGiven:
    """Rollouts of a file instead of the model's: our own, and as a trainer logs them."""

    def given(self, sampled, out, *more):
        problems, samples = sampled / "problems.jsonl", sampled.parent / "samples.jsonl"
        argv = ["--problems", str(problems), "--samples", str(samples), "--conditions", "refsol"]
        return preflight(out, *argv, *more)

    def test_they_are_graded_and_scored_as_the_models_own(self, sampled, tmp_path, capsys):
        assert self.given(sampled, tmp_path / "pre") == 0
        text = capsys.readouterr().out
        assert "rollouts were taken from" in text
        own, given = (json.loads((path / "preflight.json").read_text()) for path in (sampled, tmp_path / "pre"))
        assert given["samples"].endswith("samples.jsonl") and "samples" not in own
        for one, other in zip(own["rows"], given["rows"], strict=True):
            assert (one["text"], one["grade"]) == (other["text"], other["grade"])
            scores = one["formats"]["refsol"], other["formats"]["refsol"]
            # the sampled end of sequence is a token more; all before it are scored alike
            assert scores[0]["mean_advantage"] == pytest.approx(scores[1]["mean_advantage"], abs=0.2)
        assert main(["report", str(tmp_path / "pre")]) == 0
        assert "6 rollouts from" in (tmp_path / "pre/report.html").read_text()

    def test_started_again_it_goes_on_and_other_samples_are_not_mixed_in(self, sampled, tmp_path, capsys):
        assert self.given(sampled, tmp_path / "pre") == 0
        before = (tmp_path / "pre/rollouts.jsonl").read_bytes()
        assert self.given(sampled, tmp_path / "pre", "--conditions", "refsol", "other") == 0
        assert (tmp_path / "pre/rollouts.jsonl").read_bytes() == before
        rows = read_jsonl(sampled.parent / "samples.jsonl")
        write_jsonl(tmp_path / "others.jsonl", [row | {"text": "7"} for row in rows])
        assert self.given(sampled, tmp_path / "pre", "--samples", str(tmp_path / "others.jsonl")) == 2
        assert "on other samples: they differ from samples.used.jsonl" in capsys.readouterr().err
        argv = ["--problems", str(sampled / "problems.jsonl"), "--conditions", "refsol"]
        assert preflight(tmp_path / "pre", *argv) == 2
        assert "on other samples: they differ from samples.used.jsonl" in capsys.readouterr().err
        assert self.given(sampled, sampled) == 2
        assert "on other samples: it sampled its own" in capsys.readouterr().err

    def test_a_log_is_read_by_its_prompts_and_empty_responses_are_left_out(self, sampled, tmp_path, caplog):
        problems = {row["id"]: row["problem"] for row in read_jsonl(sampled / "problems.jsonl")}
        rows = read_jsonl(sampled.parent / "samples.jsonl")
        logged = [
            {"step": 1, "prompt": f"Q: {problems[r['problem_id']]}", "completion": r["text"], "reward": 0.0}
            for r in rows
        ]
        write_jsonl(tmp_path / "log.jsonl", [*logged[:3], {**logged[3], "completion": " "}])
        assert self.given(sampled, tmp_path / "pre", "--samples", str(tmp_path / "log.jsonl")) == 0
        assert "read as trl logs them" in caplog.text and "samples: 1 of 4 are empty" in caplog.text
        found = read_jsonl(tmp_path / "pre/rollouts.jsonl")
        assert [row["text"] for row in found] == [row["text"] for row in rows[:3]]

    def test_without_problems_the_prompts_of_a_log_are_them(self, tmp_path, caplog):
        out, ends = tmp_path / "pre", "\nassistant\n"
        rows = [
            {"input": f"user\n{n} + 2?{ends}", "output": f"<answer>{n + 2}</answer>", "gts": str(n + 2), "step": 1}
            for n in range(3)
        ]
        write_jsonl(tmp_path / "1.jsonl", rows)
        model = [
            "--model_name_or_path",
            str(save_random_qwen3(tmp_path / "model", ["1 + 2 = 3"])),
            "--max_completion_length",
            "8",
        ]
        argv = [*model, "--samples", str(tmp_path / "1.jsonl"), "--conditions", "answer", "--num_problems", "2"]
        assert main(["preflight", *argv, "--output_dir", str(out)]) == 0
        result = json.loads((out / "preflight.json").read_text())
        assert result["num_problems"] == 2 and not result["is_micro"]
        assert [row["grade"] for row in result["rows"]] == ["correct", "correct"]

    def test_nothing_but_empty_samples_is_an_error(self, sampled, tmp_path, capsys):
        rows = read_jsonl(sampled.parent / "samples.jsonl")
        write_jsonl(tmp_path / "empty.jsonl", [row | {"text": ""} for row in rows])
        assert self.given(sampled, tmp_path / "pre", "--samples", str(tmp_path / "empty.jsonl")) == 2
        assert "all 6 samples are empty" in capsys.readouterr().err

    def test_one_that_the_model_has_no_room_for_is_scored_under_nothing(self, sampled, tmp_path):
        rows = read_jsonl(sampled.parent / "samples.jsonl")
        rows[1]["text"] = "<step_1>Add 2: 1+1=2.</step_1>\n" * 300
        write_jsonl(tmp_path / "long.jsonl", rows)
        assert self.given(sampled, tmp_path / "pre", "--samples", str(tmp_path / "long.jsonl")) == 0
        found = json.loads((tmp_path / "pre/preflight.json").read_text())["rows"]
        statuses = {(row["problem_id"], row["sample"]): row["formats"]["refsol"]["status"] for row in found}
        assert statuses.pop((rows[1]["problem_id"], rows[1]["sample"])) == "too_long"
        assert set(statuses.values()) == {"ok"}
