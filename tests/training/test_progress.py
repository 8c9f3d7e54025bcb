"""What a run shows of itself: a bar on a terminal, as wide as it is; a line for each tenth of the way elsewhere."""

import fcntl
import os
import pty
import re
import struct
import termios
from contextlib import suppress

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from stepalign.training.progress import ShowProgress


def drive(tmp_path, first, last, max_steps, logs=None):
    shown = ShowProgress()
    state = TrainerState(is_world_process_zero=True, global_step=first, max_steps=max_steps)
    rest = TrainingArguments(str(tmp_path), use_cpu=True), state, TrainerControl()
    shown.on_train_begin(*rest)
    for step in range(first + 1, last + 1):
        state.global_step = step
        shown.on_step_end(*rest)
        shown.on_log(*rest, logs={"loss": 1 / step, "rollouts/correct_rate": 0.125} if logs is None else logs)
    shown.on_log(*rest, logs={"train_runtime": 3.0})
    shown.on_train_end(*rest)


def read_all(terminal):
    """What was written to a terminal whose other end is closed, and is then at its end or an error."""
    found = b""
    with os.fdopen(terminal, "rb", buffering=0) as file, suppress(OSError):
        while chunk := file.read(4096):
            found += chunk
    return found


@pytest.mark.parametrize("columns", [80, 58])
def test_a_terminal_has_a_bar_that_fits_it(tmp_path, monkeypatch, columns):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        drive(tmp_path, 3, 12, 70)
    states = re.split(r"[\r\n]+", read_all(ours).decode().strip())
    assert states[0].startswith("step 3/70 |") and states[0].endswith("left")  # before the first step is done
    assert re.fullmatch(r"step 12/70 \|.{4,}\| loss 0.0833, 12 % correct, \d\d:\d\d left", states[-1])
    assert all(len(state) < columns for state in states)


def test_elsewhere_there_is_a_line_for_each_tenth_and_the_first_and_the_last(tmp_path, capsys):
    drive(tmp_path, 0, 70, 70)
    lines = capsys.readouterr().err.splitlines()
    steps = [int(line.split()[1]) for line in lines]
    assert steps == [1, 7, 14, 21, 28, 35, 42, 49, 56, 63, 70]
    assert re.fullmatch(r"step 7 of 70: loss 0.143, 12 % correct, \d\d:\d\d left", lines[1])


def test_a_run_taken_up_again_and_one_that_ends_early(tmp_path, capsys):
    drive(tmp_path, 40, 43, 70, logs={"loss": 0.5})
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit(",", 1)[0] for line in lines] == [f"step {n} of 70: loss 0.5" for n in (41, 42, 43)]


def test_a_finished_run_that_is_started_again_says_nothing(tmp_path, capsys):
    drive(tmp_path, 70, 70, 70)
    assert capsys.readouterr().err == ""
