"""`compare --config micro-code` at a size of seconds: programs are sampled, run, critiqued and shown line by line."""

import pytest

from stepalign.cli import main
from stepalign.core.files import read_json, read_jsonl

pytestmark = pytest.mark.slow
SIZES = {
    "max_steps": 2,
    "save_steps": 2,
    "per_device_train_batch_size": 8,
    "micro_num_train": 16,
    "micro_num_validation": 2,
    "micro_num_test": 2,
    "num_samples": 2,
    "num_seen": 2,
    "probe_steps": 1,
    "num_probes": 2,
    "max_completion_length": 96,
}


def test_a_comparison_of_programs_ends_with_its_report(tmp_path):
    out = tmp_path / "out"
    sizes = [word for name, value in SIZES.items() for word in (f"--{name}", str(value))]
    conditions = ["--conditions", "stepalign", "random_step", "other"]
    assert main(["compare", "--config", "micro-code", *conditions, *sizes, "--output_dir", str(out)]) == 0
    results = read_json(out / "results.json")
    assert set(results["conditions"]) == {"stepalign", "random_step", "other"}
    rows = read_jsonl(out / "conditions" / "stepalign" / "seed_0" / "rollouts.jsonl")
    assert len(rows) == 16 and {row["grade"] for row in rows} <= {"correct", "wrong", "error", "timeout"}
    assert {row["critique"]["answer"] for row in rows} == {None}
    assert any(row["critique"]["first_wrong_step"] for row in rows)
    shown = read_json(out / "signal.json")["rollouts"]
    assert shown and all("".join(row["tokens"]).startswith("```python\ndef f(n):") for row in shown)
    assert "constructed" in (out / "report.html").read_text()
