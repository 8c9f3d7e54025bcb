"""What a page knows of a rollout: its tokens' A_t, and by what it is found."""

from stepalign.report.probes import read_probes, scored_rollouts
from stepalign.report.rollouts import Scored, Shown, pack_rollouts
from stepalign.runs.rows import CritiqueRow, RolloutRow

from .comparison.synthetic_run import write_probes, write_run

STEPS = [None, 1, 1, 2, 3]


def scored(**contexts):
    return Scored(["a"] * 5, STEPS, 2, {name: [row] for name, row in contexts.items()})


def test_a_rollout_is_found_by_its_lowest_token_and_where_that_is():
    labels = scored(one=[-9.0, 0.5, 0.1, -2.0, -1.0], other=[0.0, -3.0, 0.1, -2.0, -1.0]).labels()
    assert labels["low one"] == -2.0 and labels["aim one"] == "in the wrong step"  # outside of the steps does not count
    assert labels["low other"] == -3.0 and labels["aim other"] == "elsewhere"


def test_the_index_has_what_filters_and_orders_need():
    steps = [{"text": "a", "origin": "copied"}, {"text": "b", "origin": "rewritten"}]
    changed = CritiqueRow(case="D", first_wrong_step=2, steps=steps)
    same = CritiqueRow(case="A", steps=steps[:1])
    rows = [RolloutRow(problem_id="p", text="t", critique=critique) for critique in (changed, same, None)]
    archive = pack_rollouts([Shown(rows[0], scored=scored(one=[0.0] * 5)), Shown(rows[1]), Shown(rows[2])])
    assert archive.index["changed"] == ["step 2", "no step", None]
    assert archive.index["scored"] == ["yes", "no", "no"]
    assert archive.index["low one"] == [0.0, None, None] and archive.scored == ["one"]
    assert archive.packed()["scored"] == ["one"]


def test_probes_are_joined_with_the_rollouts_that_were_sampled(tmp_path):
    run = write_run(tmp_path / "run", num_rollouts=40)
    directory = run / "conditions/stepalign/seed_0"
    probed = write_probes(directory, "stepalign", (0, 5))
    ((place, found),) = scored_rollouts(directory, "stepalign").items()
    assert place == (probed["problem_id"], 0, probed["text"])
    assert found.at == [0, 5] and found.said == "at 2 steps of training"
    first, later = found.to_json()["contexts"]["stepalign"]["by_step"]
    assert min(first) == -3.0 and min(later) == -2.5
    assert [row.step for row in read_probes(directory)[0].at] == [0, 5]


def test_probes_of_an_older_version_have_no_tokens(tmp_path):
    run = write_run(tmp_path / "run", num_rollouts=40)
    directory = run / "conditions/stepalign/seed_0"
    write_probes(directory, "stepalign")
    for name in ("probes.jsonl", "probes/rollouts.jsonl"):
        path = directory / name
        path.write_text(path.read_text().replace('"advantage"', '"was"').replace('"tokens"', '"were"'))
    assert scored_rollouts(directory, "stepalign") == {}
