"""The recipes gsm8k-smoke through all stages, with the commands of docs/reproduce.md: on GSM8K, and on invented rows.

A random model learns nothing; what is tested is that every stage takes what the one before it left.
"""

import json
import math
import shutil
from pathlib import Path

import pytest

from stepalign.cli import main
from stepalign.core.files import read_json, read_jsonl, write_jsonl
from stepalign.models.random_init import read_texts, save_random_qwen3

pytestmark = pytest.mark.slow

REAL = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "problems.jsonl"
INVENTED = [  # in the columns of openai/gsm8k
    ("Nora has 4 jars with 15 beads each. How many beads has she?", "4*15=<<4*15=60>>60 beads\n#### 60"),
    ("A train of 9 cars carries 1,200 bricks a car. How many bricks?", "9*1200=<<9*1200=10800>>10800\n#### 10,800"),
    ("This row has no line with an answer.", "7"),
    ("Nora has 4 jars with 15 beads each. How many beads has she?", "A second time.\n#### 60"),
    ("Ivo’s rope is 30 m long. He cuts off a third. What is left?", "30/3=<<30/3=10>>10\n30-10=20\n#### 20"),
    ("Tea costs $3 and cake costs $4. What do two of each cost?", "3+4=7\n7*2=$<<7*2=14>>14\n#### 14"),
    ("Six hens lay 5 eggs a week each. How many eggs in 3 weeks?", "6*5=30\n30*3=<<30*3=90>>90\n#### 90"),
    ("Pia reads 12 pages a day. When is she through 96 pages?", "96/12=<<96/12=8>>8 days\n#### 8"),
    ("Of 50 seeds 20% do not sprout. How many plants are there?", "50*.2=10\n50-10=<<50-10=40>>40\n#### 40"),
    ("A pool loses 2 litres an hour. How much is lost in a day?", "24*2=<<24*2=48>>48 litres\n#### 48"),
    ("Max owes $45 and pays back $5 weekly. After how many weeks is he free?", "45/5=<<45/5=9>>9\n#### 9"),
    ("There were 31 birds; 14 flew off and 6 came. How many now?", "31-14=17\n17+6=<<17+6=23>>23\n#### 23"),
    ("Each of 7 shelves holds 11 books but one is empty. Count the books.", "7-1=6\n6*11=<<6*11=66>>66\n#### 66"),
    ("Lena is 3 times as old as Tom, who is 8. How old are both together?", "3*8=24\n24+8=32\n#### 32"),
]
FEWER = ("--num_problems", "12", "--num_validation", "2", "--num_test", "2")  # 8 are left, one step of training
CURATED = "runs/smoke/curated"


once = pytest.mark.parametrize("smoke", ["gsm8k" if REAL.is_file() else "invented"], indirect=True)


def stepalign(*argv):
    assert main([str(word) for word in argv]) == 0


@pytest.fixture(scope="module", params=["gsm8k", "invented"])
def smoke(request, tmp_path_factory):
    """The working directory after all stages but the comparison, and how many rows the source had."""
    if request.param == "gsm8k" and not REAL.is_file():
        pytest.skip("needs the data beside the checkout, ../shared/data/gsm8k")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("smoke"))
        if request.param == "gsm8k":
            shutil.copy(REAL, "gsm8k.jsonl")
        else:
            write_jsonl(Path("gsm8k.jsonl"), [{"question": q, "answer": a} for q, a in INVENTED])
        save_random_qwen3(Path("runs/smoke/model"), read_texts(Path("gsm8k.jsonl")))
        source = ("--source", "gsm8k.jsonl", "--adapter", "gsm8k", *(FEWER if request.param == "invented" else ()))
        stepalign("curate", "--config", "curate-gsm8k-smoke", *source, "--output_dir", CURATED)
        run = "runs/smoke/refsol"
        stepalign("train", "--config", "gsm8k-smoke", "--condition", "refsol", "--output_dir", run)
        model = ("--model", "runs/smoke/model", "--adapter", f"{run}/checkpoint-2")
        sampling = ("--num_samples", 4, "--max_new_tokens", 48, "--no_thinking", "--output_dir", "runs/smoke/evaluated")
        stepalign("evaluate", *model, "--problems", f"{CURATED}/test.jsonl", *sampling)
        stepalign("inspect", "--run", run, "--rollout", 0, "--output_dir", "runs/smoke/inspected")
        yield request.param, Path.cwd() / "runs" / "smoke"


def test_the_funnel_adds_up_and_the_problems_are_those_of_the_source(smoke):
    name, directory = smoke
    funnel = read_json(directory / "curated" / "funnel.json")
    assert [stage["num_in"] for stage in funnel["stages"][1:]] == [s["num_out"] for s in funnel["stages"][:-1]]
    for stage in funnel["stages"]:
        assert stage["num_in"] - stage["num_out"] == sum(stage.get("dropped", {}).values())
    dropped = {stage["name"]: sum(stage["dropped"].values()) for stage in funnel["stages"] if "dropped" in stage}
    problems = [row for split in ("train", "validation", "test") for row in problems_of(directory, split)]
    assert len(problems) == funnel["num_kept"] == (30 if name == "gsm8k" else 12)
    if name == "invented":
        assert dropped == {"well_formed": 1, "first_seen": 1}  # the row without an answer, and the second of a pair
        assert {row["problem"] for row in problems} == {question for question, answer in INVENTED if "####" in answer}
        assert "10800" in {row["answer"] for row in problems}  # without its comma
    else:
        assert dropped == {} and funnel["num_rows"] == 30
    for row in problems:
        curation = row["meta"]["curation"]
        assert curation["num_samples"] == 4 and curation["correct_rate"] == 0


def problems_of(directory, split):
    return read_jsonl(directory / "curated" / f"{split}.jsonl")


def check_training(run, num_prompts=8):
    rows = read_jsonl(run / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2]
    assert all(math.isfinite(row[key]) for row in rows for key in ("loss", "grad_norm", "entropy"))
    assert rows[-1]["rollouts/correct_rate"] == 0
    assert [path.name for path in sorted(run.glob("checkpoint-*"))] == ["checkpoint-1", "checkpoint-2"]
    return rows


def test_two_steps_of_training_with_finite_losses(smoke):
    run = smoke[1] / "refsol"
    rows = check_training(run)
    assert all(0 < row["loss"] < 0.01 for row in rows)  # a flat teacher and a flat student
    assert rows[0]["feedback/skipped_rate"] == 0
    solutions = {row["problem"]: row["solution"] for row in problems_of(smoke[1], "train")}
    rollouts = read_jsonl(run / "rollouts.jsonl")
    assert len(rollouts) == 16 and {row["context"] for row in rollouts} <= set(solutions.values())
    assert read_json(run / "best.json")["value"] == 0
    prompts = read_json(run / "prompts.json")
    assert prompts["student"].endswith("<think>\n\n</think>\n\n") and "guidance" in prompts["teacher"]


def test_the_checkpoint_evaluates(smoke):
    metrics = read_json(smoke[1] / "evaluated" / "metrics.json")
    assert (metrics["avg@4"], metrics["unparseable_rate"], metrics["ci95"]["avg@4"]) == (0, 1, [0, 0])
    assert metrics["truncated_rate"] > 0.5 and 30 < metrics["mean_length"] <= 48
    assert len(read_jsonl(smoke[1] / "evaluated" / "samples.jsonl")) == 4 * metrics["num_problems"]


def test_inspect_leaves_its_page_and_its_numbers(smoke):
    result = json.loads((smoke[1] / "inspected" / "advantage.json").read_text())
    advantage = result["contexts"]["refsol"]["advantage"]
    assert len(advantage) == len(result["tokens"]) > 0 and max(map(abs, advantage)) < 0.5
    assert "refsol" in (smoke[1] / "inspected" / "inspect.html").read_text()


@pytest.fixture(scope="module")
def compared(smoke):
    """A comparison of the three conditions, on GSM8K where it is."""
    _, directory = smoke
    run = directory / "compare"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory.parents[1])
        test = ("--test_problems", f"{CURATED}/test.jsonl")
        stepalign("compare", "--config", "gsm8k-smoke", *test, "--output_dir", run)
        stepalign("report", run, "--output", directory / "again.html")
    return run


@once
def test_all_three_conditions_train_and_are_evaluated(compared):
    results = read_json(compared / "results.json")
    assert list(results["conditions"]) == ["grpo", "refsol", "stepalign"]
    for condition in results["conditions"]:
        rows = check_training(compared / "conditions" / condition / "seed_0")
        assert all(row["loss"] == 0 for row in rows) == (condition == "grpo")  # no reward, no gradient
        assert results["conditions"][condition]["selected_mean"]["avg@4"] == {"value": 0, "ci95": [0, 0]}
    assert {row["avg@4"]["difference"] for row in results["paired"].values()} == {0}


@once
def test_every_critique_of_the_random_critic_is_rejected_and_counted(compared):
    directory = compared / "conditions" / "stepalign" / "seed_0"
    ledger = read_json(directory / "ledger.json")
    assert (ledger["num_samples"], ledger["num_verified"], sum(ledger["num_rejected"].values())) == (16, 0, 16)
    rollouts = read_jsonl(directory / "rollouts.jsonl")
    assert all(row["critique"]["source"] == "reference" and not row["critique"]["verified"] for row in rollouts)
    assert {row["critique"]["first_wrong_step"] for row in rollouts} == {None}  # nobody looked


@once
def test_the_report_says_that_the_numbers_tell_nothing(compared):
    report = (compared / "report.html").read_text()
    assert report == (compared.parent / "again.html").read_text()
    assert "grpo, refsol and stepalign have the same avg@4 on the test problems: 0.0" in report
    assert "nothing here tells the conditions apart" in report
    assert "could not be graded" in report and "num_rejected" in report


def test_every_stage_has_a_report(smoke, tmp_path):
    for name in ("refsol", "curated"):
        page = tmp_path / f"{name}.html"
        assert main(["report", str(smoke[1] / name), "--output", str(page)]) == 0
        assert "<h1" in page.read_text()
