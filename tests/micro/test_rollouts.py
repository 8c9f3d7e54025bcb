from collections import Counter

from stepalign.micro import World, exact_critique, make_problems
from stepalign.micro.rollouts import made_rollouts


def test_every_kind_of_rollout_occurs():
    problems = make_problems(World(min_steps=2, max_steps=6, min_carries=3, max_carries=8), 300, 0)
    rollouts = made_rollouts(problems, 0)
    assert rollouts == made_rollouts(problems, 0) != made_rollouts(problems, 1)
    assert [rollout.problem for rollout in rollouts] == problems
    assert Counter(rollout.finish_reason for rollout in rollouts) == {"stop": 270, "length": 30}
    critiques = [exact_critique(rollout) for rollout in rollouts]
    assert min(Counter(critique.case for critique in critiques)[case] for case in "ABCD") > 20
    assert {c.first_wrong_step for c in critiques if c.case == "D"} >= {1, 2, 3, 4, 5}
