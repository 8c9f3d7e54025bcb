"""What tests share: the micro solver and a quiet, reproducible torch."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # started in the background: Ctrl-C must work in tests all the same
    signal.signal(signal.SIGINT, signal.default_int_handler)
SHARED = Path(__file__).parents[2] / "shared"
MODELS = Path(os.environ.get("STEPALIGN_MODELS", Path(__file__).parents[1] / ".models"))


@pytest.fixture(scope="session")
def micro_solver():
    """The shipped solver and its tokenizer; do not train it, take a copy."""
    from stepalign.micro import SOLVER_DIR
    from stepalign.models import load_model

    return load_model(str(SOLVER_DIR), dtype="float32")


@pytest.fixture
def shared_data():
    """Real data beside the checkout; the test skips where it is not."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the data beside the checkout, ../shared/data")
    return SHARED / "data"


@pytest.fixture(scope="session")
def smollm2_file():
    """SmolLM2-135M-Instruct as a GGUF file. Without it a test skips, or fails if STEPALIGN_REQUIRE_REAL_MODEL=1."""
    path = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.exists():
        reason = f"needs {path}: python -m scripts.fetch_model smollm2"
        if os.environ.get("STEPALIGN_REQUIRE_REAL_MODEL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def smollm2(smollm2_file, tmp_path_factory):
    """The same as a Hugging Face directory."""
    from stepalign.models.gguf import unpack

    saved = smollm2_file.with_suffix("")
    return saved if saved.is_dir() else unpack(str(smollm2_file), tmp_path_factory.mktemp("smollm2") / "saved")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache or keys."""
    monkeypatch.setenv("STEPALIGN_CACHE", str(tmp_path / "cache"))
    for role in ("CRITIC", "SOLVER"):
        monkeypatch.delenv(f"STEPALIGN_{role}_API_KEY", raising=False)


@pytest.fixture(scope="session")
def serve():
    """`with serve(model_directory, log_path) as url`: `transformers serve` over HTTP, or a skip."""
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason="needs transformers[serving]")
    return _serve


@contextmanager
def _serve(model: Path, log: Path) -> Iterator[str]:
    command = shutil.which("transformers", path=str(Path(sys.executable).parent)) or shutil.which("transformers")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [command, "serve", str(model), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with log.open("w") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            continue
    raise AssertionError(f"the server ended with {process.returncode}")
