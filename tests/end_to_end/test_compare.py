"""The main command on the micro world, at a size of seconds: what it leaves, and that a kill loses nothing."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from stepalign.core.files import read_jsonl

pytestmark = pytest.mark.slow

SETTINGS = [
    *("--max_steps", "4", "--save_steps", "2", "--per_device_train_batch_size", "4", "--num_generations", "2"),
    *("--micro_num_train", "8", "--micro_num_validation", "2", "--micro_num_test", "3"),
    *("--num_samples", "4", "--max_completion_length", "200", "--jobs", "2"),
]
CONDITIONS = ["grpo", "refsol", "stepalign"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def command(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "stepalign", "compare", *SETTINGS, "--output_dir", str(out), *more]


def compare(out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(out, *more), env=ENVIRONMENT, capture_output=True, text=True, timeout=500)


def numbers(out: Path) -> dict:
    """All results without the clock."""

    def without_clock(value):
        if isinstance(value, dict):
            return {k: without_clock(v) for k, v in value.items() if k != "wall_s"}
        return [without_clock(v) for v in value] if isinstance(value, list) else value

    return without_clock(json.loads((out / "results.json").read_text()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    done = compare(out)
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_comparison_leaves_its_whole_directory(undisturbed):
    out, done = undisturbed
    for name in ("config.yaml", "environment.json", "results.json", "report.html"):
        assert (out / name).stat().st_size > 0
    for name in ("train", "validation", "test"):
        assert read_jsonl(out / "problems" / f"{name}.jsonl")
    for condition in CONDITIONS:
        directory = out / "conditions" / condition / "seed_0"
        assert [row["step"] for row in read_jsonl(directory / "metrics.jsonl")] == [1, 2, 3, 4]
        assert [row["step"] for row in read_jsonl(directory / "evaluations.jsonl")] == [2, 4]
        rollouts = read_jsonl(directory / "rollouts.jsonl")
        assert len(rollouts) == 16
        assert all((row["context"] is None) == (condition == "grpo") for row in rollouts)
        assert (directory / "prompts.json").exists() and (directory / "checkpoint-4" / "model.safetensors").exists()
    assert "avg@4" in done.stdout and "report.html" in done.stdout
    assert "Traceback" not in done.stderr


def test_results_have_their_format(undisturbed):
    results = json.loads((undisturbed[0] / "results.json").read_text())
    assert set(results["conditions"]) == set(CONDITIONS)
    for condition in results["conditions"].values():
        seed = condition["seeds"]["0"]
        assert [c["step"] for c in seed["checkpoints"]] == [2, 4]
        for row in seed["checkpoints"]:
            counts = {"step", "num_rollouts", "num_generated_tokens", "wall_s"}
            of_test = {"pass@k", "num_distinct_answers", "kl_to_base"}
            assert set(row) == {*counts, *of_test, "validation", "test", "seen"}
            assert row["test"]["num_problems"] == 3 and row["validation"]["num_problems"] == 2
        assert set(seed["best"]) == {"pass@4", "maj@4", "avg@4"}
        assert seed["selected"]["test"] in [row["test"] for row in seed["checkpoints"]]
    assert results["base"]["num_samples"] == 4


def test_all_conditions_saw_the_same_prompts_in_the_same_order(undisturbed):
    """GRPO's groups of two take half as many prompts for as many rollouts: the first half of the same order."""

    def prompts(condition):
        rows = read_jsonl(undisturbed[0] / "conditions" / condition / "seed_0" / "rollouts.jsonl")
        return [row["problem_id"] for row in rows if row["sample"] == 0]

    assert prompts("refsol") == prompts("stepalign") and len(prompts("refsol")) == 16
    assert prompts("grpo") == prompts("refsol")[:8]


def test_a_finished_comparison_has_nothing_left_to_do(undisturbed):
    out, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.jsonl") if "problems" not in path.parts}
    assert compare(out).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_killed_twice_and_started_again_it_has_the_numbers_of_an_undisturbed_run(undisturbed, tmp_path):
    out = tmp_path / "run"
    watched = out / "conditions" / "stepalign" / "seed_0"
    for name, rows in (("metrics.jsonl", 3), ("evaluations.jsonl", 1)):
        process = subprocess.Popen(command(out), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(read_jsonl(watched / name)) < rows:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    again = compare(out)
    assert again.returncode == 0, again.stderr
    assert numbers(out) == numbers(undisturbed[0])


def test_the_report_of_a_run_can_be_written_again(undisturbed, tmp_path):
    target = tmp_path / "again.html"
    argv = [sys.executable, "-m", "stepalign", "report", str(undisturbed[0]), "--output", str(target)]
    assert subprocess.run(argv, env=ENVIRONMENT, timeout=100).returncode == 0
    assert "stepalign" in target.read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--conditions", "refsoll"], "perhaps you meant 'refsol'"),
        (["--learning_rat", "1"], "perhaps you meant 'learning_rate'"),
        (["--test_problems", "t.jsonl"], "lacks\n  problems: --train_problems, --validation_problems"),
        (["--max_steps", "0"], "lacks\n  --max_steps, such as 70"),
        (["--config", "micro", "--quick"], "--quick is a recipe of its own"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(tmp_path, capsys, more, message):
    from stepalign.cli import main

    out = tmp_path / "run"
    assert main(["compare", *SETTINGS, "--output_dir", str(out), *more]) == 2
    assert message in capsys.readouterr().err
    assert not (out / "config.yaml").exists()


def test_other_settings_on_the_same_directory_are_refused(undisturbed, capsys):
    from stepalign.cli import main

    out, _ = undisturbed
    before = yaml.safe_load((out / "config.yaml").read_text())
    assert main(["compare", *SETTINGS, "--output_dir", str(out), "--learning_rate", "0.5"]) == 2
    assert "learning_rate" in capsys.readouterr().err
    assert yaml.safe_load((out / "config.yaml").read_text()) == before


def test_two_processes_a_condition_leave_what_one_does_and_a_kill_loses_nothing(undisturbed, tmp_path):
    out = tmp_path / "run"
    more = ["--conditions", "stepalign", "--num_processes", "2", "--per_device_train_batch_size", "2"]
    one, two = (run / "conditions" / "stepalign" / "seed_0" for run in (undisturbed[0], out))
    process = subprocess.Popen(
        command(out, *more), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not read_jsonl(two / "metrics.jsonl"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert sum("--train" in child.cmdline() for child in children) == 2
    process.kill()
    process.wait()
    assert not psutil.wait_procs(children, timeout=60)[1]
    assert len(read_jsonl(two / "metrics.jsonl")) < 4, "the run was over before it could be killed"

    again = compare(out, *more)
    assert again.returncode == 0, again.stderr
    own = re.compile(r"rng_state_\d|ledger.process-\d")  # what each process has of its own
    files = [{str(p.relative_to(d)) for p in d.rglob("*") if p.is_file()} for d in (one, two)]
    assert {name for name in files[1] if not own.search(name)} == {name for name in files[0] if "rng_state" not in name}
    assert sum(bool(own.search(name)) for name in files[1]) == 6
    assert [row["step"] for row in read_jsonl(two / "metrics.jsonl")] == [1, 2, 3, 4]
    of_one, of_two = (
        sorted((r["step"], r["problem_id"]) for r in read_jsonl(d / "rollouts.jsonl")) for d in (one, two)
    )
    assert of_two == of_one  # each rollout once
    results = json.loads((out / "results.json").read_text())
    (seed,) = results["conditions"]["stepalign"]["seeds"].values()
    assert [(c["step"], c["test"]["num_problems"]) for c in seed["checkpoints"]] == [(2, 3), (4, 3)]
    assert results["base"]["num_samples"] == 4 and (out / "report.html").exists()
