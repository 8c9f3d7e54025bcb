import pytest

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.rollout import Rollout
from stepalign.micro.critic import exact_critique
from stepalign.micro.problems import World, make_problems, parse_problem


def test_problems_are_within_the_dials_and_different():
    world = World(min_steps=2, max_steps=3, min_carries=2, max_carries=4)
    problems = make_problems(world, 60, seed=1)
    assert len({p.problem for p in problems}) == len({p.id for p in problems}) == 60
    for problem in problems:
        chain = parse_problem(problem.problem)
        assert 2 <= len(chain.operations) <= 3 and 2 <= chain.carries <= 4
        assert problem.answer == str(chain.values[-1])


def test_the_same_seed_gives_the_same_problems_and_another_does_not():
    assert make_problems(World(), 5, 3) == make_problems(World(), 5, 3)
    assert make_problems(World(), 5, 3) != make_problems(World(), 5, 4)


def test_the_dial_of_foreignness_rewords_references_and_leaves_problems_alone():
    plain = make_problems(World(foreign=0.0), 20, 0)
    foreign = make_problems(World(foreign=1.0, condensed=0.5), 20, 0)
    assert [p.problem for p in plain] == [p.problem for p in foreign]
    assert all(a.solution != b.solution for a, b in zip(plain, foreign, strict=True))


def test_reference_solutions_are_right_whatever_the_dials():
    for problem in make_problems(World(foreign=1.0, condensed=0.0), 30, 0):
        assert exact_critique(Rollout(problem, 0, problem.solution or "")).case == "A"


@pytest.mark.parametrize(
    "dials", [{"min_steps": 0}, {"min_steps": 5}, {"max_carries": 99}, {"foreign": 1.5}, {"condensed": -0.1}]
)
def test_impossible_dials_are_an_error(dials):
    with pytest.raises(ConfigError, match="expected"):
        World(**dials)


def test_dials_that_no_problem_meets_are_an_error_and_no_endless_loop():
    with pytest.raises(ConfigError, match="was found in 20,000 tries"):
        make_problems(World(min_steps=1, max_steps=1, min_carries=2, max_carries=2), 2, 0) and make_problems(
            World(min_steps=6, max_steps=6, min_carries=12, max_carries=12), 1, 0
        )


def test_more_problems_than_there_are_is_an_error(monkeypatch):
    from stepalign.micro import problems

    monkeypatch.setattr(problems, "sample_chain", lambda rng, world: problems.Chain(47, (("+", 38),)))
    with pytest.raises(ConfigError, match="only 1 different"):
        make_problems(World(), 2, 0)


def test_other_text_is_no_micro_problem():
    with pytest.raises(DataError, match="not a micro problem"):
        parse_problem("What is 2 + 2?")
