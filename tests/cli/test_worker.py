"""The child of a comparison that trains in several processes; tests/end_to_end has the whole of it."""

import os
import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.slow


def test_what_a_training_process_said_is_what_the_child_says(tmp_path):
    directory = tmp_path / "conditions" / "refsol" / "seed_0"
    directory.mkdir(parents=True)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"num_processes": 2, "num_seen": 0, "divergence": "kl"}))
    (directory / "settings.yaml").write_text(yaml.safe_dump({"condition": "refsol"}))
    command = [sys.executable, "-m", "stepalign.cli.worker", str(tmp_path), str(directory)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "STEPALIGN_PARENT_PID": str(os.getpid())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("stepalign: process ")
    assert "of 2 failed: ConfigError: " in last and "unknown divergence 'kl'" in last
