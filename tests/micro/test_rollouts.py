from collections import Counter

from stepalign.micro import World, exact_critique, make_problems
from stepalign.micro.rollouts import labelled_rollouts, made_rollouts


def test_every_kind_of_rollout_occurs():
    problems = make_problems(World(min_steps=2, max_steps=6, min_carries=3, max_carries=8), 300, 0)
    rollouts = made_rollouts(problems, 0)
    assert rollouts == made_rollouts(problems, 0) != made_rollouts(problems, 1)
    assert [rollout.problem for rollout in rollouts] == problems
    assert Counter(rollout.finish_reason for rollout in rollouts) == {"stop": 270, "length": 30}
    critiques = [exact_critique(rollout) for rollout in rollouts]
    assert min(Counter(critique.case for critique in critiques)[case] for case in "ABCD") > 20
    assert {c.first_wrong_step for c in critiques if c.case == "D"} >= {1, 2, 3, 4, 5}


def test_labelled_rollouts_are_wrong_where_they_were_made_so():
    problems = make_problems(World(min_steps=2, max_steps=4), 100, 1)
    made = labelled_rollouts(problems, 0)
    assert made == labelled_rollouts(problems, 0) != labelled_rollouts(problems, 1)
    assert Counter(wrong is None for _, wrong in made)[True] in range(10, 50)
    assert {wrong for _, wrong in made} >= {None, 1, 2, 3}
    for rollout, wrong in made:
        critique = exact_critique(rollout)
        assert critique.first_wrong_step == wrong
        assert critique.case == ("A" if wrong is None else "D")
