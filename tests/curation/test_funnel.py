import json
from collections import Counter

from stepalign.curation import funnel as module
from stepalign.curation.funnel import STAGES, funnel, table

from . import world

DRAW = module.draw
COUNTS = Counter({("", ""): 5, ("usable_answer", "no_answer"): 3, ("usable_answer", "timeout"): 4, ("sampled", "x"): 1})


def test_it_adds_up_with_reasons_most_frequent_first():
    result = funnel(COUNTS, ["critic_solves"], stopped="found_enough")
    world.check_adds_up(result)
    assert (result["num_rows"], result["num_kept"], result["stopped"]) == (13, 5, "found_enough")
    stages = {stage["name"]: stage for stage in result["stages"]}
    assert list(stages) == list(STAGES)
    assert list(stages["usable_answer"]["dropped"].items()) == [("timeout", 4), ("no_answer", 3)]
    assert (stages["usable_answer"]["num_in"], stages["usable_answer"]["num_out"]) == (13, 6)
    assert [name for name, stage in stages.items() if stage.get("skipped")] == ["critic_solves"]


def test_table():
    lines = table(funnel(COUNTS, ["critic_solves"])).splitlines()
    assert lines[3] == "   6 of 13  usable_answer           4 timeout, 3 no_answer"
    assert lines[-1] == "   5 of  5  critic_solves           not asked for"


def test_picture_is_drawn_alike_each_time(tmp_path):
    result = funnel(COUNTS, ["critic_solves"])
    for name in ("a", "b"):
        DRAW(result, [tmp_path / f"{name}.svg", tmp_path / f"{name}.png"])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_picture_of_nothing(tmp_path):
    DRAW(funnel(Counter(), []), [tmp_path / "a.svg"])
    assert (tmp_path / "a.svg").exists()


def test_files(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(module, "draw", lambda result, paths: drawn.extend(path.name for path in paths))
    module.write_funnel(tmp_path, funnel(COUNTS, []))
    assert drawn == ["funnel.svg", "funnel.png"]
    assert json.loads((tmp_path / "funnel.json").read_text())["num_rows"] == 13
