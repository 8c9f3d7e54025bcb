"""No GPU here: their number is made up, as NVML would tell it."""

import pytest

from stepalign.core.errors import ConfigError
from stepalign.models.devices import check_num_processes, default_jobs, least_used, visible_devices


@pytest.mark.parametrize(
    ("outer", "count", "expected"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("2, 3", 2, ["2", "3"]),
        ("GPU-aa,GPU-bb", 2, ["GPU-aa", "GPU-bb"]),
        ("1,9,2", 1, ["1"]),  # CUDA stops at the first name that is no device
        ("", 0, []),
        ("-1", 0, []),
    ],
)
def test_devices_keep_the_names_they_have_outside(monkeypatch, outer, count, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if outer is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", outer)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert visible_devices() == expected


def test_free_devices_are_taken_first_and_then_the_least_shared():
    devices = ["0", "1", "2"]
    assert least_used(devices, [], 1) == ["0"]
    assert least_used(devices, ["0", "2"], 1) == ["1"]
    assert least_used(devices, ["1"], 2) == ["0", "2"]
    assert least_used(devices, ["0", "0", "1", "2"], 2) == ["1", "2"]
    assert least_used([], [], 2) == []


def test_as_many_jobs_as_fit(monkeypatch):
    assert default_jobs(["0", "1", "2"], num_processes=1) == 3
    assert default_jobs(["0", "1", "2"], num_processes=2) == 1
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert default_jobs([], num_processes=2) == 2
    assert default_jobs([], num_processes=8) == 1
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert default_jobs([], num_processes=1) == 1


def test_every_process_needs_a_gpu_of_its_own_where_there_are_any():
    check_num_processes(2, ["0", "1"])
    check_num_processes(2, [])
    with pytest.raises(ConfigError, match="num_processes is 3, one GPU each, and 2 are visible"):
        check_num_processes(3, ["0", "1"])
