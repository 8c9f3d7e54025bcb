"""Datasets of the hub, without the hub: what is streamed, and what is said when it cannot be."""

import json
import socket
from itertools import islice

import pytest
from huggingface_hub import constants

from stepalign.core.errors import DataError
from stepalign.data.sources import hub, open_source

ROWS = [{"question": f"What is {i} + 1?", "answer": f"So\n#### {i + 1}"} for i in range(10)]


@pytest.fixture
def asked(monkeypatch):
    """What `load_dataset` was asked for; it gives ROWS in three shards."""
    import datasets

    calls = []

    def load_dataset(path, subset, *, split, streaming):
        calls.append((path, subset, split, streaming))
        return datasets.Dataset.from_list(ROWS).to_iterable_dataset(num_shards=3)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(hub, "check_hub", lambda path: None)
    return calls


def test_a_registered_dataset_is_streamed(asked):
    problems = [entry.problem for entry in open_source("gsm8k")]
    assert [problem.answer for problem in problems] == [str(i + 1) for i in range(10)]
    list(open_source("openai/GSM8K", split="test"))
    assert asked == [("openai/gsm8k", "main", "train", True), ("openai/gsm8k", "main", "test", True)]


@pytest.mark.parametrize("stop", [1, 4, 7, 10])
def test_it_goes_on_behind_the_last_row(asked, stop):
    whole = list(open_source("gsm8k"))
    stream = open_source("gsm8k")
    start = list(islice(stream, stop))
    state = json.loads(json.dumps(stream.state()))
    assert start + list(open_source("gsm8k", state=state)) == whole


def test_any_other_dataset_with_its_columns(asked):
    stream = open_source("someone/maths", columns=["problem=question"], subset="hard", split="dev")
    assert next(iter(stream)).problem.id.startswith("maths-")
    assert asked == [("someone/maths", "hard", "dev", True)]


def test_offline_is_said_at_once_and_a_slip_in_the_name_too(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set"):
        open_source("gsm8k")
    with pytest.raises(DataError, match=r"HF_HUB_OFFLINE is set.*perhaps you meant 'nvidia/OpenMathReasoning'"):
        open_source("nvidia/OpenMathReasonin")
    with pytest.raises(DataError, match=r"as the adapter\.$"):
        open_source("someone/maths")


def test_an_unreachable_hub_is_said_at_once(monkeypatch):
    for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(key, raising=False)
    with socket.socket() as taken:  # bound and not listening: a connection is refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(DataError, match=r"cannot be reached .*Or download its files"):
            open_source("openmathreasoning")


def test_what_the_client_says_becomes_one_message(asked, monkeypatch):
    import datasets

    def fails(*args, **kwargs):
        raise ValueError("Bad split: dev.\nAvailable: train")

    monkeypatch.setattr(datasets, "load_dataset", fails)
    with pytest.raises(DataError, match=r"cannot read someone/maths \(subset None, split dev\): Bad split: dev\.$"):
        open_source("someone/maths", split="dev")


@pytest.mark.parametrize("stop", [1, 4, 10])
def test_a_dataset_that_is_recognized_goes_on_as_well(asked, stop):
    whole = list(open_source("someone/maths"))
    assert [entry.problem.answer for entry in whole] == [str(i + 1) for i in range(10)]
    assert whole[2].problem.id == "maths-train-0003"
    stream = open_source("someone/maths")
    start = list(islice(stream, stop))
    state = json.loads(json.dumps(stream.state()))
    assert start + list(open_source("someone/maths", state=state)) == whole


@pytest.mark.parametrize(
    ("name", "likely", "split", "subset"),
    [
        ("someone/maths:dev", None, "dev", None),
        ("someone/maths:hard:dev", "train", "dev", "hard"),
        ("someone/maths", "test", "test", None),
        ("gsm8k:test", "train", "test", "main"),
        ("gsm8k", "test", "test", "main"),
        ("gsm8k", "validation", "train", "main"),
    ],
)
def test_split_and_subset_stand_behind_the_name(asked, name, likely, split, subset):
    next(iter(open_source(name, likely=likely)))
    assert asked[0][1:3] == (subset, split)
