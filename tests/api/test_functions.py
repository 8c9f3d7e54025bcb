"""The functions give what the commands write, from the same code."""

import json
from pathlib import Path

import pytest

import stepalign
from stepalign import Rollout
from stepalign.cli import main
from stepalign.core.errors import ConfigError
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.micro import World, exact_critique, make_problems
from stepalign.micro.rollouts import made_rollouts

PROBLEMS = make_problems(World(), 4, seed=2)
SIZES = {"max_steps": 1, "per_device_train_batch_size": 2, "max_completion_length": 40, "save_steps": 1}


def half(text, problem):
    return 0.5


def test_grade_gives_what_the_command_writes(tmp_path):
    rollouts = made_rollouts(PROBLEMS, seed=1)
    write_jsonl(tmp_path / "problems.jsonl", [p.to_json() for p in PROBLEMS])
    write_jsonl(tmp_path / "samples.jsonl", [r.to_json() for r in rollouts])
    files = [str(tmp_path / name) for name in ("problems.jsonl", "samples.jsonl", "by_command")]
    assert main(["grade", "--problems", files[0], "--samples", files[1], "--output_dir", files[2]]) == 0
    graded = stepalign.grade(rollouts, output_dir=tmp_path / "by_function")
    for name in ("grades.json", "samples.jsonl"):
        written = [(tmp_path / way / name).read_text() for way in ("by_command", "by_function")]
        assert written[0] == written[1]
    assert graded == json.loads((tmp_path / "by_command" / "grades.json").read_text())
    assert repr(graded).startswith(f"{len(rollouts)} responses: correct ") and str(tmp_path) in repr(graded)
    assert graded.to_pandas()["grade"].tolist() == [
        row["grade"] for row in read_jsonl(tmp_path / "by_command/samples.jsonl")
    ]
    assert stepalign.grade(files[1], files[0]) == graded


def test_evaluate_takes_every_setting_and_leaves_what_the_command_leaves(tmp_path):
    settings = {"num_samples": 2, "max_new_tokens": 40, "seed": 5, "temperature": 0.7, "grader": half}
    kept = stepalign.evaluate("micro", PROBLEMS, ks=[1, 2], output_dir=tmp_path / "out", **settings)
    passing = stepalign.evaluate("micro", [p.to_json() for p in PROBLEMS], ks=[1, 2], **settings)
    assert kept == passing == json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert kept["mean_score"] == 0.5 and {"avg@1", "avg@2", "pass@1"} <= kept.keys()
    assert kept.to_pandas()["score"].tolist() == [0.5] * 8
    assert "micro on 4 problems x 2 samples: " in repr(kept) and passing.directory is None
    with pytest.raises(ConfigError, match="perhaps you meant 'temperature'"):
        stepalign.evaluate("micro", PROBLEMS, temprature=1)


def test_critique_asks_a_function(tmp_path):
    rollouts = made_rollouts(PROBLEMS, seed=1)
    records = stepalign.critique(rollouts, critic=lambda rollout: exact_critique(rollout), output_dir=tmp_path)
    assert [record.sample for record in records] == [rollout.sample for rollout in rollouts]
    assert read_jsonl(tmp_path / "critiques.jsonl") == [record.to_json() for record in records]
    assert (tmp_path / "ledger.json").exists() and "verified" in repr(records)
    assert records.to_pandas()["status"].tolist() == [record.status for record in records]
    with pytest.raises(ConfigError, match="needs a critic"):
        stepalign.critique(rollouts)


def test_a_rejected_critique_asks_the_own_grader():
    (rollout,) = [Rollout(PROBLEMS[0], 0, "<step_1>x</step_1>\n<answer>0</answer>")]
    seen = []

    def critic(rollout):
        return stepalign.Critique("D", 1, (stepalign.CritiqueStep("y", "rewritten"),), "about right")

    def grade(text, problem):
        seen.append((text, problem))
        return True

    (record,) = stepalign.critique([rollout], critic=critic, grader=grade)
    assert record.status == "verified" and seen == [("<answer>about right</answer>", PROBLEMS[0])]


def test_train_takes_objects(tmp_path):
    class Told(stepalign.FeedbackFormat):
        def contexts(self, rollouts):
            return [stepalign.Context(f"It is {r.problem.answer}.") for r in rollouts]

    given = {"condition": Told, "train_problems": PROBLEMS, "output_dir": tmp_path / "run", "grader": half, **SIZES}
    checkpoints = stepalign.train("micro", **given)
    assert [path.name for path in checkpoints] == ["checkpoint-1"]
    rows = read_jsonl(tmp_path / "run" / "rollouts.jsonl")
    assert {row["score"] for row in rows} == {0.5} and all(row["context"].startswith("It is ") for row in rows)
    assert repr(checkpoints).startswith("1 checkpoint(s) of told; step 1: loss ")
    assert checkpoints.to_pandas()["step"].tolist() == [1]
    assert stepalign.train("micro", **given) == checkpoints  # it is done


def test_a_base_model_trains_with_the_plain_templates(tmp_path):
    from stepalign.models.random_init import save_random_qwen3

    model = save_random_qwen3(tmp_path / "base", [p.problem for p in PROBLEMS])
    (model / "chat_template.jinja").unlink()
    given = {"condition": "refsol", "train_problems": PROBLEMS, "output_dir": tmp_path / "run", **SIZES}
    stepalign.train(None, model_name_or_path=str(model), prompt_templates="plain", save_strategy="steps", **given)
    prompts = json.loads((tmp_path / "run" / "prompts.json").read_text())
    assert prompts["student"].startswith("User: ") and prompts["student"].endswith("\n\nAssistant:")
    assert PROBLEMS[0].solution.splitlines()[0] in prompts["teacher"] or "guidance" in prompts["teacher"]
    metrics = stepalign.evaluate(
        tmp_path / "run/checkpoint-1", PROBLEMS, num_samples=1, max_new_tokens=8, prompt_templates="plain"
    )
    assert metrics["num_problems"] == 4


def test_preflight_and_curate_take_lists(tmp_path):
    sizes = {"num_problems": 2, "num_samples": 1, "max_completion_length": 40, "conditions": ["refsol"]}
    result = stepalign.preflight(problems=PROBLEMS, output_dir=tmp_path / "pre", **sizes)
    assert list(result["formats"]) == ["refsol"] and result.to_pandas()["format"].tolist() == ["refsol"]
    assert repr(result).startswith("preflight on 2 problems: refsol: ")
    sizes = {"num_samples": 2, "max_new_tokens": 40, "num_problems": 3, "num_validation": 1, "num_test": 1}
    easy = {"correct_rate_above": -1, "correct_rate_below": 2, "min_format_rate": 0, "problem_overlap": 1}
    funnel = stepalign.curate(PROBLEMS, solver_model="micro", output_dir=tmp_path / "curated", **sizes, **easy)
    assert funnel["num_kept"] == 3 and "sampled" in funnel.to_pandas()["name"].tolist()
    assert (tmp_path / "curated" / "train.jsonl").exists()


def test_inspect_is_inspect_case_and_a_table_of_tokens():
    case = Path(__file__).parents[2] / "examples" / "cases" / "micro-one-wrong-step.yaml"
    result = stepalign.inspect(case, critic=exact_critique)
    table = result.to_pandas()
    assert len(table) == len(result["tokens"]) * len(result["contexts"])
    assert table["advantage"].tolist()[: len(result["tokens"])] == result["contexts"]["stepalign"]["advantage"]
    assert repr(result).startswith("micro, 88 tokens; mean A_t in nats: stepalign +")


def test_a_run_without_a_directory_is_told():
    for function in (stepalign.train, stepalign.compare, stepalign.preflight):
        with pytest.raises(ConfigError, match=f"{function.__name__} needs output_dir"):
            function()


def test_compare_tells_at_once_what_its_processes_cannot_see(tmp_path):
    with pytest.raises(ConfigError, match="processes of its own"):
        stepalign.compare("micro-quick", grader=lambda text, problem: True, output_dir=tmp_path / "never")
    assert not (tmp_path / "never").exists()
