"""Measuring: alternation, fresh processes, peak memory, and what becomes of a side that fails."""

import os
import time

import numpy as np
import pytest
from benchmarks.runner import MeasurementError, Settings, Side, measure, measure_alternately, preload

MEGABYTE = 10**6
preload(["torch"])


def prepare_allocation(megabytes, path=None):
    """Preparing takes twice the memory and gives it back."""
    np.ones(2 * megabytes * MEGABYTE // 8)

    def allocate():
        if path is not None:
            with open(path, "a") as file:
                file.write(f"{megabytes} {os.getpid()}\n")
        time.sleep(0.01)
        return np.ones(megabytes * MEGABYTE // 8).sum()

    return allocate


def size(result):
    return {"sum": float(result)}


def prepare_error():
    def fail():
        raise ValueError("no such thing")

    return fail


def prepare_death():
    return lambda: os.kill(os.getpid(), 9)


@pytest.fixture
def settings(tmp_path):
    return Settings(runs=2, log=tmp_path / "log.txt")


def test_sides_take_turns_in_processes_of_their_own(settings, tmp_path):
    path = tmp_path / "order.txt"
    sides = [Side(f"{n} MB", prepare_allocation, {"megabytes": n, "path": str(path)}, size) for n in (40, 80)]
    measured = measure_alternately(sides, settings)
    order, pids = zip(*(line.split() for line in path.read_text().splitlines()), strict=True)
    assert order == ("40", "80", "40", "80")
    assert len({*pids, str(os.getpid())}) == 5
    for megabytes, runs in zip((40, 80), measured.values(), strict=True):
        for m in runs:
            assert m.facts == {"sum": megabytes * MEGABYTE / 8}
            assert m.time_s >= 0.01 and m.cpu_s >= 0
            # of the call alone: preparing had taken twice as much
            assert m.peak_bytes == pytest.approx(megabytes * MEGABYTE, rel=0.1)


def test_a_failure_is_an_error_that_names_the_side(settings):
    with pytest.raises(MeasurementError, match="ours failed: ValueError: no such thing"):
        measure(Side("ours", prepare_error), settings)
    assert "Traceback" in settings.log.read_text()


def test_a_killed_process_is_an_error(settings):
    with pytest.raises(MeasurementError, match="theirs: the measured process was killed"):
        measure(Side("theirs", prepare_death), settings)


def test_a_side_that_needs_more_memory_than_there_is_is_not_started(settings):
    with pytest.raises(MeasurementError, match="needs about 1000000 GB of memory"):
        measure(Side("huge", prepare_allocation, {"megabytes": 1}, memory=1e15), settings)


def test_processes_for_cuda_are_spawned_and_measure_the_same_way(tmp_path, monkeypatch):
    from benchmarks import runner

    assert runner.start_method("cuda") == "spawn"
    monkeypatch.setattr(runner, "start_method", lambda device: "spawn")
    measured = measure(Side("a", prepare_allocation, {"megabytes": 8}, facts=size), Settings(log=tmp_path / "log.txt"))
    assert measured.facts == {"sum": 1e6} and measured.peak_bytes >= 7 * MEGABYTE
