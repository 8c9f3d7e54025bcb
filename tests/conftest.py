"""What tests share: the micro solver and a quiet, reproducible torch."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # started in the background: Ctrl-C must work in tests all the same
    signal.signal(signal.SIGINT, signal.default_int_handler)
SHARED = Path(__file__).parents[2] / "shared"


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
