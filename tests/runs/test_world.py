"""The world of a run is read where it is written, and worked out only for runs that are older than the key."""

import pytest

from stepalign.runs.world import MICRO, OWN, world_of


@pytest.mark.parametrize(
    ("configs", "world"),
    [
        ([{"world": "own", "model": "micro"}], OWN),
        ([{"model": "org/name"}, {"world": "micro"}], MICRO),
        ([{"model": "micro"}], MICRO),
        ([{"model_name_or_path": "/lib/stepalign/micro/solver"}], MICRO),
        ([{"problems": "micro:train"}], MICRO),
        ([{"model_name_or_path": "org/name", "train_problems": None}], MICRO),
        ([{"model_name_or_path": "org/name", "train_problems": "train.jsonl"}], OWN),
        ([{}], OWN),
    ],
)
def test_the_world_of_a_run(configs, world):
    assert world_of(*configs) == world
