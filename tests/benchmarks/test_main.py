"""The command as a user starts it: its files, its rows, and what it says of a wrong name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = {"name", "subject", "baseline", "metric", "subject_value", "baseline_value", "ratio", "runs", "spread"}


def benchmarks(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})


@pytest.mark.slow
def test_the_kernel_case_writes_json_and_a_table(tmp_path):
    done = benchmarks(
        "--output_dir", tmp_path, "--quick", "--runs", 1, "--only", "loss_kernel_clip", "loss_kernel_fp32"
    )
    assert done.returncode == 0, done.stderr
    assert "[1/2] loss_kernel_fp32" in done.stderr and "run 1 of 1: stepalign" in done.stderr
    results = json.loads((tmp_path / "benchmarks.json").read_text())
    assert set(results["machine"]) >= {"cpu", "num_cores", "num_threads", "load_before", "load_after"}
    assert results["versions"]["torch"] and results["versions"]["trl"]
    assert results["failures"] == []
    rows = {(r["name"], r["baseline"], r["metric"]): r for r in results["cases"] if set(r) >= KEYS}
    assert set(rows) == {
        *(
            ("loss_kernel_fp32", b, m)
            for b in ("trl chunked divergence", "full logits")
            for m in ("time", "peak_memory")
        ),
        *(("loss_kernel_clip", f"stepalign, {dtype}", "time") for dtype in ("float32", "bfloat16")),
    }
    for row in rows.values():
        assert row["ratio"] == pytest.approx(row["subject_value"] / row["baseline_value"])
        assert row["runs"] == len(row["subject_runs"]) == 1
    memory = rows["loss_kernel_fp32", "full logits", "peak_memory"]
    assert memory["baseline_value"] > 4 * 512 * 8192 * 4  # at least four tensors of logits
    assert memory["ratio"] < 1
    table = (tmp_path / "benchmarks.md").read_text()
    assert table.count("\n| loss_kernel_") == len(results["cases"])
    assert "loss_kernel_fp32" in done.stdout


def test_an_unknown_name_is_named_with_the_nearest(tmp_path):
    done = benchmarks("--output_dir", tmp_path / "out", "--only", "train_stepp")
    assert done.returncode == 2
    assert "unknown case 'train_stepp'; perhaps you meant 'train_step'?" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_case_for_the_processor_alone_refuses_cuda(tmp_path):
    done = benchmarks("--output_dir", tmp_path, "--only", "slopes", "--device", "cuda")
    assert done.returncode == 2 and "'slopes' is measured on a CPU" in done.stderr
