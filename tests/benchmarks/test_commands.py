"""The cases that time whole commands: what they make of what the command left, and of a command that fails."""

from pathlib import Path

import pytest
from benchmarks.critique import critique, server, write_samples
from benchmarks.runner import MeasurementError, Settings

from benchmarks import compare
from stepalign.core.files import append_jsonl


@pytest.fixture
def settings(tmp_path):
    return Settings(runs=1, log=tmp_path / "log.txt")


def test_rows_of_a_comparison_are_read_from_its_directory(settings, monkeypatch):
    seen = []

    def run_command(argv, settings):
        seen.append(argv[:2])
        for condition, tokens in (("grpo", 800), ("refsol", 100), ("stepalign", 90)):
            path = Path(argv[-1]) / "conditions" / condition / "seed_0" / "metrics.jsonl"
            append_jsonl(
                path, {"wall_s": 1.0, "num_generated_tokens": 1}, {"wall_s": 4.0, "num_generated_tokens": tokens}
            )
        return 10.0, 12.0

    monkeypatch.setattr(compare, "run_command", run_command)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    rows = compare.run_case("compare", settings)
    assert seen == [["compare", "--quick"]]
    assert rows[0]["ratio"] == pytest.approx(10 / (12 / 2))
    tokens = {r["subject"]: r["ratio"] for r in rows if r["metric"] == "tokens"}
    assert tokens == {"training refsol": 0.125, "training stepalign": 0.1125}
    assert all(r["baseline"] == "training grpo" for r in rows[1:])


def test_a_command_is_timed_and_its_failure_is_an_error(settings):
    time_s, cpu_s = compare.run_command(["--version"], settings)
    assert cpu_s > 0 and time_s > 0
    assert "stepalign" in settings.log.read_text()
    with pytest.raises(MeasurementError, match="stepalign nonsense ended with exit code 2"):
        compare.run_command(["nonsense"], settings)


def test_critiques_are_timed_and_the_second_run_sends_nothing(settings, tmp_path):
    write_samples(tmp_path / "samples", 5)
    with server(0.01) as port:
        first = critique(tmp_path / "samples", port, "first", 5, settings)
        second = critique(tmp_path / "samples", port, "second", 5, settings)
        with pytest.raises(MeasurementError, match="5 of 6 critiques were verified"):
            critique(tmp_path / "samples", port, "third", 6, settings)
    assert (first.num_requests, second.num_requests) == (5, 0)
    assert first.time_s >= 0.01 and first.peak_bytes > 10**7
