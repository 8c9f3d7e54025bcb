"""The cases that time whole commands: what they make of what the command left, and of a command that fails."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.critique import critique, scripted_server, write_samples
from benchmarks.runner import Measurement, MeasurementError, Settings, measure_command

from benchmarks import compare, compare_speed, curate, inspection, localization, localizing
from stepalign.core.files import append_jsonl


@pytest.fixture
def settings(tmp_path):
    return Settings(runs=1, log=tmp_path / "log.txt")


def test_rows_of_a_comparison_are_read_from_its_directory(settings, monkeypatch):
    seen = []

    def run(argv, settings):
        seen.append(argv[:2])
        for condition, tokens in (("grpo", 800), ("refsol", 100), ("stepalign", 90)):
            path = Path(argv[-1]) / "conditions" / condition / "seed_0" / "metrics.jsonl"
            append_jsonl(
                path, {"wall_s": 1.0, "num_generated_tokens": 1}, {"wall_s": 4.0, "num_generated_tokens": tokens}
            )
        return Measurement(10.0, 12.0, 0, {})

    monkeypatch.setattr(compare, "measure_command", run)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    rows = compare.run_case("compare", settings)
    assert seen == [["compare", "--quick"]]
    assert rows[0]["ratio"] == pytest.approx(10 / (12 / 2))
    tokens = {r["subject"]: r["ratio"] for r in rows if r["metric"] == "tokens"}
    assert tokens == {"training refsol": 0.125, "training stepalign": 0.1125}
    assert all(r["baseline"] == "training grpo" for r in rows[1:])


def test_a_command_is_timed_and_its_failure_is_an_error(settings):
    measured = measure_command(["--version"], settings)
    assert measured.cpu_s > 0 and measured.time_s > 0 and measured.peak_bytes > 10**7
    assert "stepalign" in settings.log.read_text()
    with pytest.raises(MeasurementError, match="stepalign nonsense ended with exit code 2"):
        measure_command(["nonsense"], settings)


def test_critiques_are_timed_and_the_second_run_sends_nothing(settings, tmp_path):
    write_samples(tmp_path / "samples", 5)
    with scripted_server(0.01) as server:
        first = critique(tmp_path / "samples", server.url, "first", 5, settings)
        second = critique(tmp_path / "samples", server.url, "second", 5, settings)
        with pytest.raises(MeasurementError, match="5 of 6 critiques were verified"):
            critique(tmp_path / "samples", server.url, "third", 6, settings)
    assert (first.facts, second.facts) == ({"num_requests": 5}, {"num_requests": 0})
    assert first.time_s >= 0.01 and first.peak_bytes > 10**7


def test_a_killed_command_is_no_failure(settings):
    assert measure_command(["compare", "--quick"], settings, kill_when=lambda: True).time_s > 0


@pytest.mark.slow
def test_a_killed_curation_decides_every_row_once(settings, capsys):
    time, memory, requests = curate.run_case("curate", replace(settings, quick=True))
    assert "killed after" in capsys.readouterr().err
    assert time["ratio"] > 0 and memory["subject_value"] > 10**7
    assert requests["baseline_value"] == 40 * 16 and requests["within_bound"] and requests["ratio"] >= 1


@pytest.mark.slow
def test_an_inspection_is_beside_bare_forward_passes(settings):
    rows = inspection.run_case("inspect", replace(settings, quick=True))
    memory = {row["subject"]: row["ratio"] for row in rows if row["metric"] == "peak_memory"}
    assert list(memory) == [*inspection.OTHERS] and memory["score"] < memory["usual"]
    assert all(row["baseline"] == "bare" and row["ratio"] > 0 for row in rows[:-1])
    assert (rows[-1]["subject"], rows[-1]["baseline"]) == ("inspect", "inspect, no alternatives")


def test_localizing_is_beside_bare_forward_passes(settings):
    time, memory = localizing.run_case("localize", replace(settings, quick=True))
    assert (time["subject"], time["baseline"], time["metric"]) == ("localize", "bare", "time")
    assert time["ratio"] > 0 and "bound" not in time  # of the full size alone
    assert memory["metric"] == "peak_memory"


@pytest.mark.slow
def test_the_parts_of_a_comparison_are_beside_those_of_other_code(settings, monkeypatch):
    monkeypatch.setattr(compare_speed, "PARTS", ("refsol",))
    (row,) = compare_speed.run_case("compare_speed", replace(settings, quick=True))
    assert row["subject"] == "refsol: now" and row["ratio"] > 0 and row["cpu_ratio"] > 0


def test_contexts_are_compared_on_a_few_rollouts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["localization", "--output_dir", str(tmp_path), "--num_rollouts", "3"])
    localization.main()
    record = json.loads((tmp_path / "localization.json").read_text())
    assert len(record["rollouts"]) == 3 and set(record["summary"]) == {*localization.CONTEXTS, localization.DIFFERENCE}
    shown = (tmp_path / "localization.md").read_text()
    assert len(shown.splitlines()) == 2 + len(localization.MEASURES) and shown in capsys.readouterr().out
