"""Each part at tiny size on a CPU; cutting and joining with invented files; the table from invented results."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest
from benchmarks.__main__ import chosen_cases, parse
from scripts.gpu_day import cargo, parts, table
from scripts.gpu_day.__main__ import main

from scripts import gpu_day

CARD = "NVIDIA H100 80GB HBM3"
PAGE = f"# A GPU\n\n{table.START}\n\n**No figure exists yet.**\n\n{table.END}\n\nMore.\n"


@pytest.mark.slow
@pytest.mark.parametrize("part", parts.PARTS)
def test_a_part_runs_at_tiny_size_and_leaves_its_json(part, tmp_path):
    command = ["sh", "scripts/gpu_day.sh", "--home", tmp_path / "home", "run", part, "--tiny"]
    environment = {**os.environ, "PYTHON": sys.executable, "OUT": str(tmp_path / "out")}
    done = subprocess.run(command, cwd=gpu_day.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first = next(name for name in parts.PARTS if name != part)
    assert done.stdout == f"Next: sh scripts/gpu_day.sh run {first}\n"
    record = json.loads((tmp_path / "out" / f"{part}.json").read_text())
    assert (record["part"], record["card"], record["is_tiny"]) == (part, "CPU, tiny sizes", True)
    assert record["environment"]["packages"]["torch"]
    assert table.rows_of(record) or part == "study"  # which trains nothing there
    assert part != "study" or "Dry run" in " ".join(record["steps"]["compare"]["tail"])


@pytest.mark.parametrize("part", ["kernel", "train_step"])
def test_the_benchmarks_take_the_options_of_the_full_size(part, tmp_path):
    for step in parts.PARTS[part](tmp_path, False):
        asked = parse([str(argument) for argument in step.arguments[2:]])
        assert (chosen_cases(asked.only, asked.device), asked.device) == ([step.name], "cuda")


@pytest.fixture
def of_commands(monkeypatch):
    """Two parts of plain commands in place of the measurements."""

    def first(home, is_tiny):
        write = f"import pathlib; p = pathlib.Path(r'{home}/one.json'); p.write_text('[1]'); print('written')"
        return [
            parts.Step("one", ["-c", write], home / "one.json"),
            parts.Step("two", ["-c", "import sys; sys.exit('no luck')"]),
        ]

    def study(home, is_tiny):
        return [parts.Step("slow", ["-c", "import time; time.sleep(60)"])]

    monkeypatch.setattr(parts, "PARTS", {"first": first, "study": study})


def test_what_succeeded_is_not_run_again_and_what_failed_is_when_asked_for(of_commands, tmp_path, capsys):
    home, out = tmp_path / "home", tmp_path / "out"
    assert parts.run(["first"], home, out, 100, is_again=False, is_tiny=True) == 1
    printed = capsys.readouterr()
    assert "no luck\ntwo: exit code 1" in printed.err and printed.out == "Next: sh scripts/gpu_day.sh run study\n"
    steps = json.loads((out / "first.json").read_text())["steps"]
    assert steps["one"]["result"] == [1] and steps["one"]["tail"] == ["written"]
    assert parts.run(["first"], home, out, 100, is_again=False, is_tiny=True) == 1
    assert "one:" not in (printed := capsys.readouterr().err) and "two:" in printed
    assert parts.run(["first"], home, out, 100, is_again=True, is_tiny=True) == 1
    assert "one:" in capsys.readouterr().err


def test_a_part_that_is_stopped_is_next_again_and_its_small_files_come_along(
    of_commands, monkeypatch, tmp_path, capsys
):
    home, out = tmp_path / "home", tmp_path / "out"
    run = home / "state" / "tiny" / "study"
    for name in ("results.json", "conditions/grpo/metrics.jsonl", "conditions/grpo/checkpoint-10/adapter.json", "a.pt"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("{}")
    monkeypatch.setattr(parts, "LEAST_S", 0.5)
    assert parts.run(["study"], home, out, 1.4, is_again=False, is_tiny=True) == 1
    assert "stopped at its limit" in capsys.readouterr().err
    with tarfile.open(out / "study.tar.gz") as packed:
        assert packed.getnames() == ["study/conditions/grpo/metrics.jsonl", "study/results.json"]
    assert json.loads((out / "study.json").read_text())["steps"]["slow"]["exit_code"] in parts.STOPPED


def test_without_a_gpu_or_with_an_unknown_part_nothing_runs(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(parts, "find_card", lambda: None)
    assert main(["--home", str(tmp_path), "run"]) == 2
    assert "No CUDA device" in capsys.readouterr().err
    assert main(["--home", str(tmp_path), "run", "kernels"]) == 2
    assert "perhaps you meant 'kernel'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def carried(tmp_path):
    """Two wheels and a file of 100 bytes, cut into parts of 64 bytes; where they lie, and what is in them."""
    sources, contents = tmp_path / "sources", {"a.txt": b"a" * 40, "b.bin": bytes(range(200)), "c.txt": b"c" * 5}
    sources.mkdir()
    for name, content in contents.items():
        (sources / name).write_bytes(content)
    files = {f"to/{name}": sources / name for name in contents}
    cargo.split(files, tmp_path / "parts", 64)
    return tmp_path / "parts", {f"to/{name}": content for name, content in contents.items()}


def test_parts_are_of_the_size_asked_for_and_are_joined_to_what_was_cut(carried, tmp_path):
    directory, contents = carried
    listing = json.loads((directory / cargo.LISTING).read_text())
    assert [part["bytes"] for part in listing["parts"]] == [64, 64, 64, 53]
    assert [part["name"] for part in listing["parts"]] == ["part-01", "part-02", "part-03", "part-04"]
    assert sorted(path.name for path in directory.iterdir())[:-1] == [part["name"] for part in listing["parts"]]
    assert cargo.join(directory, tmp_path / "root") == []
    assert {name: (tmp_path / "root" / name).read_bytes() for name in contents} == contents


def test_parts_may_come_one_by_one_and_go_once_they_are_used(carried, tmp_path):
    directory, contents = carried
    away, root = tmp_path / "away", tmp_path / "root"
    away.mkdir()
    for number in (1, 3, 4):
        (directory / f"part-0{number}").rename(away / f"part-0{number}")
    assert cargo.join(directory, root) == ["part-01", "part-03", "part-04"]
    assert not root.exists()
    (away / "part-01").rename(directory / "part-01")
    assert cargo.join(directory, root) == ["part-03", "part-04"]
    assert sorted(path.name for path in (root / "to").iterdir()) == ["a.txt"]
    for number in (3, 4):
        (away / f"part-0{number}").rename(directory / f"part-0{number}")
    assert cargo.join(directory, root) == []
    for part in directory.glob("part-*"):
        part.unlink()
    assert cargo.join(directory, root) == []  # all is written: nothing is missing
    assert (root / "to" / "b.bin").read_bytes() == contents["to/b.bin"]


def test_a_damaged_part_counts_as_missing(carried, tmp_path):
    directory, _ = carried
    (directory / "part-02").write_bytes(b"x" * 64)
    assert cargo.join(directory, tmp_path / "root") == ["part-02"]
    (directory / cargo.LISTING).unlink()
    with pytest.raises(SystemExit, match="expected it beside the parts"):
        cargo.join(directory, tmp_path / "root")


def test_wheels_are_installed_once(tmp_path, capsys):
    home = tmp_path / ".gpu_day"
    wheel = tmp_path / "invented-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("invented.py", "VALUE = 3\n")
        archive.writestr("invented-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: invented\nVersion: 1.0\n")
        archive.writestr("invented-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any")
        archive.writestr("invented-1.0.dist-info/RECORD", "")
    cargo.split({f".gpu_day/wheels/{wheel.name}": wheel}, home / "parts", 100)
    assert cargo.unpack(home, tmp_path) == 0
    assert "1 of them new" in (printed := capsys.readouterr().out) and "Nothing is missing" in printed
    assert (home / "site-packages" / "invented.py").read_text() == "VALUE = 3\n"
    assert cargo.unpack(home, tmp_path) == 0
    assert "0 of them new" in capsys.readouterr().out


def test_what_is_carried_is_what_the_project_needs_beyond_what_is_there():
    names = {name.split("==")[0].lower() for name in cargo.packages("3.12", without={"PyArrow"})}
    assert {"trl", "peft", "datasets", "pydantic", "pydantic_core", "gguf", "pytest"} <= names
    assert not names & {"torch", "transformers", "numpy", "sympy", "pyarrow", "stepalign"}


def record(part, steps, card=CARD, date="2027-01-01T00:00:00+00:00", is_tiny=False):
    environment = {"python": "3.12.3", "packages": {"torch": "2.11.0", "trl": "1.16.0", "peft": None}}
    made = {name: {"exit_code": 0, "seconds": 9.0, "result": None, **step} for name, step in steps.items()}
    return dict(part=part, card=card, date=date, is_tiny=is_tiny, environment=environment, steps=made)


def case(metric, ours, theirs):
    row = {"name": "loss_kernel_bf16", "subject": "stepalign", "baseline": "trl chunked divergence", "metric": metric}
    return {**row, "subject_value": ours, "baseline_value": theirs, "ratio": ours / theirs}


KERNEL = {"cases": [case("time", 0.02, 0.08), case("peak_memory", 1.5e9, 3e9)], "failures": []}
STEP = {"seconds": 30.0, "tokens_per_s": 2184.5, "tflops": 210.0, "share_of_peak": 0.2125}
GPU_STEP = {"summary": {"stages": {"backward": {**STEP, "peak_memory_gb": 11.84}}, "step": STEP}}
MEAN = {"value": 0.125, "ci95": [0.1, 0.15]}
DIFFERENCE = {"condition": "refsol", "minus": "none", "metric": "avg@12", "value": 0.02, "ci95": [-0.01, 0.05]}
STUDY = {
    "base": {"avg@12": 0.09},
    "conditions": {"refsol": {"seeds": {"0": {}, "1": {}, "2": {}}, "selected_mean": {"avg@12": MEAN, "maj@12": MEAN}}},
    "differences": [{**DIFFERENCE, "is_control": True}],
}


def test_the_table_has_every_figure_with_its_card(tmp_path, capsys):
    page = tmp_path / "gpu.md"
    page.write_text(PAGE)
    failed = {"failures": [{"name": "train_step", "reason": "out | of memory"}], "cases": []}
    records = [
        record("tests", {"tests": {"result": {"tests": 6, "failures": 1, "errors": 0, "skipped": 2}}}),
        record("kernel", {"loss_kernel_bf16": {"result": KERNEL}}),
        record("kernel", {"loss_kernel_bf16": {"result": {**KERNEL, "cases": []}}}, date="2026-12-31T00:00:00+00:00"),
        record("gpu_step", {"given_rollouts": {"result": GPU_STEP}, "whole_step": {"exit_code": 124}}),
        record("train_step", {"train_step": {"result": failed}}),
        record("study", {"model": {}, "compare": {"result": STUDY}}, card="NVIDIA H200"),
        record("kernel", {"loss_kernel_bf16": {"result": KERNEL}}, card="CPU, tiny sizes", is_tiny=True),
    ]
    for number, one in enumerate(records):
        path = tmp_path / "back" / str(number) / f"{one['part']}.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(one))
    assert main(["report", str(tmp_path / "back"), "--page", str(page)]) == 0
    text = page.read_text()
    assert text.startswith(f"# A GPU\n\n{table.START}\n\n| part | what |") and text.endswith(f"{table.END}\n\nMore.\n")
    kernel = "| kernel | `loss_kernel_bf16`, {} | stepalign: {} | trl chunked divergence: {} | {} | " + CARD + " |"
    assert text.count("| kernel |") == 2
    assert kernel.format("time", "0.02 s", "0.08 s", "0.25") in text
    assert kernel.format("peak memory", "1.50 GB", "3.00 GB", "0.50") in text
    assert f"| tests | tests that need a GPU | 3 pass, 1 fail, 2 skipped |  |  | {CARD} |" in text
    stage = "| gpu_step | given rollouts: backward | 30 s, 2,184 tokens/s, 210 TFLOP/s, peak 11.8 GB | 21.2% of the"
    assert stage in text
    assert f"| train_step | `train_step` | not measured | out / of memory |  | {CARD} |" in text
    assert "| study | `refsol`, avg@12, 3 seeds | 12.5 (10.0 to 15.0) | untrained: 9.0 |  | NVIDIA H200 |" in text
    assert "| study | `refsol` minus `none` | +2.0 (-1.0 to +5.0) | control |  | NVIDIA H200 |" in text
    assert f"- gpu_step, whole_step, {CARD}: ended with exit code 124 after 9.0 s." in text
    assert f"{CARD}: Python 3.12.3, torch 2.11.0, trl 1.16.0." in text and "No figure" not in text
    assert main(["report", str(tmp_path / "back"), "--page", str(page)]) == 0
    assert page.read_text() == text


def test_without_results_or_markers_the_page_stays(tmp_path):
    page = tmp_path / "gpu.md"
    page.write_text("# A GPU\n")
    (tmp_path / "study.json").write_text(json.dumps(record("study", {}, is_tiny=True)))
    with pytest.raises(SystemExit, match="no JSON of a part"):
        table.write_table([tmp_path], page)
    (tmp_path / "study.json").write_text(json.dumps(record("study", {"compare": {"result": STUDY}})))
    with pytest.raises(SystemExit, match="lacks the lines"):
        table.write_table([tmp_path], page)
    assert page.read_text() == "# A GPU\n"


def test_the_page_has_the_markers():
    page = (gpu_day.ROOT / "docs" / "gpu.md").read_text()
    assert page.count(table.START) == page.count(table.END) == 1
