"""Problems are made for the world that a micro model was made for, and for no other."""

import pytest

from stepalign.core.errors import ConfigError
from stepalign.settings.groups import MicroSettings
from stepalign.settings.models import resolve_model
from stepalign.settings.problems import own_world, training_problems


@pytest.mark.parametrize(("name", "world"), [("micro", "arithmetic"), ("micro-code", "code")])
def test_each_shipped_solver_says_its_world_and_gets_its_problems(name, world):
    model = resolve_model(name)
    assert own_world(model) == world
    problems = training_problems(None, MicroSettings(micro_world=world, micro_num_train=3), model)
    assert [problem.tests is not None for problem in problems] == [world == "code"] * 3


def test_problems_of_the_other_world_are_refused_with_both_remedies():
    for name, world in (("micro", "code"), ("micro-code", "arithmetic")):
        with pytest.raises(ConfigError) as error:
            training_problems(None, MicroSettings(micro_world=world), resolve_model(name))
        assert f"micro_world is {world}" in str(error.value) and "model_name_or_path: micro" in str(error.value)
