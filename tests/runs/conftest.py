"""The made-up run of the report's tests, for the tests of what reads it."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def write_run():
    """`write_run(directory)`: a run directory as version 0.1.0 leaves it."""
    path = Path(__file__).parents[1] / "report" / "comparison" / "synthetic_run.py"
    spec = importlib.util.spec_from_file_location("synthetic_run", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_run
