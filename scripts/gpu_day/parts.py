"""The measurements, part by part: each is a list of commands, and one JSON file says what came of them.

Every command has what is left of the time limit. What a part has measured stays in the ignored folder, so that the same
part started again goes on with the command that was stopped; commands that resume by themselves, `compare` for one, go
on where they were.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from scripts.fetch_model import MODELS, MODELS_DIRECTORY
from scripts.gpu_day import ROOT
from stepalign.core.environment import describe_environment
from stepalign.core.errors import ConfigError, suggest
from stepalign.core.files import read_json, write_json

KERNEL_CASES = ("loss_kernel_bf16", "loss_kernel_limit", "loss_kernel_clip", "loss_kernel_fp32")
STOPPED = (124, 137)  # what `timeout` gives
GRACE_S = 15  # from the request to end until it is made to
LEAST_S = 30  # with less left no command is started
TAIL_LINES = 40
SMALL_FILE_BYTES = 8 * 2**20
SMALL_FILES = (".json", ".jsonl", ".yaml", ".txt", ".html", ".png", ".svg")


@dataclass(frozen=True)
class Step:
    """A command of Python's, and the file that holds its result, if any: JSON, or pytest's XML."""

    name: str
    arguments: Sequence[str | Path]
    result: Path | None = None


def tests(home: Path, is_tiny: bool) -> list[Step]:
    """The tests that need a GPU; without one they skip."""
    marked = [p for p in sorted((ROOT / "tests").rglob("test_*.py")) if "@pytest.mark.gpu" in p.read_text("utf-8")]
    result = home / "tests.xml"
    files = [path.relative_to(ROOT) for path in marked]
    return [Step("tests", ["-m", "pytest", "-q", "-m", "gpu", f"--junitxml={result}", *files], result)]


def kernel(home: Path, is_tiny: bool) -> list[Step]:
    """The loss alone against TRL's chunked divergence, full logits, and the three products that it is made of."""
    return [_benchmark(name, home, is_tiny) for name in (KERNEL_CASES[:1] if is_tiny else KERNEL_CASES)]


def gpu_step(home: Path, is_tiny: bool) -> list[Step]:
    """A step of Qwen3-1.7B's size, stage by stage: first on random rollouts, then with generation."""
    tiny = ["--tiny", "--device", "cpu"] if is_tiny else []
    ways = {"given_rollouts": ["--skip_generation"], "whole_step": ["--steps", "1"]}

    def step(name: str) -> Step:
        command = ["-m", "benchmarks.gpu_step", "--output_dir", home / name, *ways[name], *tiny]
        return Step(name, command, home / name / "gpu_step.json")

    return [step(name) for name in (("given_rollouts",) if is_tiny else ways)]


def train_step(home: Path, is_tiny: bool) -> list[Step]:
    """A step on given rollouts against TRL's trainers."""
    return [_benchmark("train_step", home, is_tiny)]


def study(home: Path, is_tiny: bool) -> list[Step]:
    """SmolLM2 on GSM8K, all conditions, three seeds."""
    directory = home / "study"
    config = "micro-quick" if is_tiny else "gsm8k-smollm2"
    compare = ["-m", "stepalign", "compare", "--config", config, "--seeds", "0", "1", "2", "--output_dir", directory]
    model, data = MODELS_DIRECTORY / MODELS["smollm2"].file, ROOT / "runs" / "gsm8k-smollm2"
    merge = ["-m", "scripts.gpu_day.merge", model, data / "adapter", data / "model"]
    steps = [] if is_tiny else [Step("model", merge)]
    return [*steps, Step("compare", [*compare, *(["--dry_run"] if is_tiny else [])], directory / "results.json")]


PARTS: Mapping[str, Callable[[Path, bool], list[Step]]] = {
    "tests": tests,
    "kernel": kernel,
    "gpu_step": gpu_step,
    "train_step": train_step,
    "study": study,
}


def run(asked: Sequence[str], home: Path, output: Path, limit_s: float, *, is_again: bool, is_tiny: bool) -> int:
    """Run the parts asked for, or those that are left, within the limit; 1 where one failed or was stopped.

    Args:
        asked: names of parts; none: those that have not ended yet, in order.
        home: the folder that stays on the machine.
        output: gets the JSON of each part that ran.
        limit_s: seconds for all of it.
        is_again: forget what the parts have measured.
        is_tiny: tiny sizes on a CPU.
    """
    for name in asked:
        if name not in PARTS:
            print(ConfigError(f"unknown part '{name}'{suggest(name, PARTS)}"), file=sys.stderr)
            return 2
    card = "CPU, tiny sizes" if is_tiny else find_card()
    if card is None:
        print("No CUDA device is visible; expected one. Whether it runs: --tiny.", file=sys.stderr)
        return 2
    home = home / "state" / ("tiny" if is_tiny else "full")
    deadline, failed = time.monotonic() + limit_s, False
    for name in asked or [name for name in PARTS if is_again or not _has_ended(home, name, is_tiny)]:
        if deadline - time.monotonic() < LEAST_S:
            break
        failed |= not run_part(name, home, output, deadline, card=card, is_again=is_again, is_tiny=is_tiny)
    left = [name for name in PARTS if not _has_ended(home, name, is_tiny)]
    print(f"Next: sh scripts/gpu_day.sh run {left[0]}" if left else "All parts have ended.")
    return int(failed)


def find_card() -> str | None:
    """The GPU's name, or None; asked in another process, which gives its memory back."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def run_part(name: str, home: Path, output: Path, deadline: float, *, card: str, is_again: bool, is_tiny: bool) -> bool:
    """Run the commands of a part that have not succeeded yet; whether all have now."""
    record = {} if is_again else _read_record(home, name)
    steps: dict[str, Any] = record.get("steps", {}) if record.get("card") == card else {}
    record = {"part": name, "card": card, "is_tiny": is_tiny, "environment": describe_environment(), "steps": steps}
    commands = PARTS[name](home, is_tiny)
    for step in commands:
        if steps.get(step.name, {}).get("exit_code") == 0:
            continue
        if (left := deadline - time.monotonic()) < LEAST_S:
            break
        steps[step.name] = run_step(step, home, left)
        record["date"] = datetime.now(UTC).isoformat(timespec="seconds")
        for directory in (home, output):
            write_json(directory / f"{name}.json", record)
        if steps[step.name]["exit_code"] in STOPPED:
            break
    if name == "study" and (home / name).is_dir():
        keep_small_files(home / name, output / f"{name}.tar.gz")
    return all(steps.get(step.name, {}).get("exit_code") == 0 for step in commands)


def run_step(step: Step, home: Path, limit_s: float) -> dict[str, Any]:
    """Run one command under `timeout`: its exit code, seconds, last lines and result."""
    home.mkdir(parents=True, exist_ok=True)
    if step.result:
        step.result.unlink(missing_ok=True)  # an older one is not this command's
    arguments = [str(argument) for argument in step.arguments]
    print(f"{step.name}: python {' '.join(arguments)}", file=sys.stderr)
    bounded = ["timeout", "--signal=INT", f"--kill-after={GRACE_S}", f"{limit_s:.0f}", sys.executable, *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    start, log = time.monotonic(), home / f"{step.name}.log"
    with log.open("w", encoding="utf-8") as lines:
        code = subprocess.run(bounded, cwd=ROOT, stdout=lines, stderr=lines, env=environment, check=False).returncode
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    seconds = round(time.monotonic() - start, 1)
    how = "stopped at its limit; the same part goes on" if code in STOPPED else f"exit code {code}"
    print("\n".join([*(tail if code else []), f"{step.name}: {how}, {seconds} s"]), file=sys.stderr)
    return {"exit_code": code, "seconds": seconds, "command": arguments, "tail": tail, "result": _read(step.result)}


def keep_small_files(directory: Path, archive: Path) -> None:
    """Pack what is worth carrying back: settings, metrics, evaluations and pages; no checkpoints."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as packed:
        for path in sorted(directory.rglob("*")):
            is_of_checkpoint = any(part.startswith("checkpoint-") for part in path.relative_to(directory).parts)
            is_small = path.suffix in SMALL_FILES and path.is_file() and path.stat().st_size <= SMALL_FILE_BYTES
            if is_small and not is_of_checkpoint:
                packed.add(path, path.relative_to(directory.parent))


def _benchmark(case: str, home: Path, is_tiny: bool) -> Step:
    how = ["--quick", "--runs", "1"] if is_tiny else ["--device", "cuda", "--runs", "3"]
    command = ["-m", "benchmarks", "--output_dir", home / case, "--only", case, *how]
    return Step(case, command, home / case / "benchmarks.json")


def _read(path: Path | None) -> Any:
    """JSON, what pytest's XML counts, or None where there is no file."""
    if path is None or not path.is_file():
        return None
    if path.suffix == ".json":
        return read_json(path)
    suite = next(ElementTree.parse(path).iter("testsuite"))
    return {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}


def _read_record(home: Path, name: str) -> dict[str, Any]:
    path = home / f"{name}.json"
    return read_json(path) if path.is_file() else {}


def _has_ended(home: Path, name: str, is_tiny: bool) -> bool:
    """Whether every command came to its end, well or not."""
    steps = _read_record(home, name).get("steps", {})
    return all(
        steps.get(step.name, {}).get("exit_code", STOPPED[0]) not in STOPPED for step in PARTS[name](home, is_tiny)
    )
