"""The ledger of a run's critic: over calls, over sessions, and over processes."""

from types import SimpleNamespace

import pytest

from stepalign.clients.ledger import Ledger
from stepalign.core.files import read_json
from stepalign.feedback.critics.recorded import RecordedCritic


class Fake:
    """A critic whose every critique costs 10 tokens."""

    def __init__(self):
        self.num = 0
        self.ledger = self

    def critique(self, rollouts):
        self.num += len(rollouts)
        return [SimpleNamespace(critique=None) for _ in rollouts]

    def to_json(self):
        return {"num_samples": self.num, "tokens_out": 10 * self.num, "num_rejected": {"answer": self.num}}


def ask(path, num_rollouts, process_index=0, num_processes=1):
    critic = RecordedCritic(Fake(), path, process_index, num_processes)
    critic([None] * num_rollouts)
    return critic


def total(path):
    row = read_json(path)
    assert row["tokens_out"] == 10 * row["num_samples"] == 10 * row["num_rejected"]["answer"]
    return row["num_samples"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.json"


def test_it_goes_on_over_calls_and_sessions(path):
    critic = ask(path, 2)
    critic([None])
    assert total(path) == 3
    ask(path, 4)
    assert total(path) == 7
    assert [p.name for p in path.parent.iterdir()] == ["ledger.json"]


def test_what_was_said_last_is_at_hand_and_on_disk(path):
    critic = RecordedCritic(SimpleNamespace(critique=lambda rollouts: [], ledger=Ledger()), path)
    assert critic.last_words == ""
    for reason, words in (("http_400", "no format"), ("timeout", "after 3 s"), ("http_400", "no model")):
        critic.critic.ledger.hear(reason, words)
    assert critic.last_words == "http_400: no model"
    critic([])
    again = RecordedCritic(SimpleNamespace(critique=lambda rollouts: [], ledger=Ledger()), path)
    again.critic.ledger.hear("timeout", "after 9 s")
    again([])
    assert read_json(path)["said"] == {"http_400": "no model", "timeout": "after 9 s"}


def test_processes_do_not_overwrite_each_other(path):
    first = ask(path, 2, 0, 2)
    ask(path, 5, 1, 2)
    assert total(path) == 2  # the first process has not looked yet
    first.write_total()
    assert total(path) == 7
    ask(path, 1, 1, 2).write_total()
    assert total(path) == 7  # only the first one writes the sum
    ask(path, 1, 0, 2)
    assert total(path) == 9


def test_a_run_may_change_its_number_of_processes(path):
    ask(path, 3)
    second = RecordedCritic(Fake(), path, 1, 2)
    first = ask(path, 1, 0, 2)
    second([None] * 2)
    first.write_total()
    assert total(path) == 6
    ask(path, 4)  # one again
    assert total(path) == 10
