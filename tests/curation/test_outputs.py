from collections import Counter

import pytest

from stepalign.core.errors import DataError
from stepalign.core.files import read_jsonl
from stepalign.core.problem import Problem
from stepalign.curation import write_outputs
from stepalign.curation.outputs import split
from stepalign.curation.store import Decision, Store
from stepalign.data.problems import load_problems
from stepalign.settings.curate import CurateSettings


def test_split_counts_and_seed():
    names = split(20, 3, 4, seed=0)
    assert Counter(names) == {"train": 13, "validation": 3, "test": 4}
    assert names == split(20, 3, 4, seed=0) != split(20, 3, 4, seed=1)


@pytest.mark.parametrize(("count", "message"), [(0, "no problem passed"), (7, "7 problems passed")])
def test_nothing_left_to_train_on(count, message):
    with pytest.raises(DataError, match=message):
        split(count, 3, 4, seed=0)


def test_files_can_be_loaded_and_ids_are_their_own(tmp_path):
    store = Store(tmp_path / "s.sqlite")
    rows = [Decision(i, "same", problem=Problem("same", f"text {i}", "1", "solution", {"a": i})) for i in range(6)]
    store.commit([*rows, Decision(6, "x", "wanted", "a")], {"num_rows": 7})
    arguments = CurateSettings(output_dir=str(tmp_path), num_problems=5, num_validation=1, num_test=1)
    result = write_outputs(store, arguments, is_exhausted=False, has_critic=True)
    assert (result["num_rows"], result["num_kept"], result["stopped"]) == (5, 5, "found_enough")
    problems = [p for name in ("train", "validation", "test") for p in load_problems(tmp_path / f"{name}.jsonl")]
    assert len({p.id for p in problems}) == 5
    assert sorted(p.problem for p in problems) == [f"text {i}" for i in range(5)]
    assert [row["meta"]["a"] for row in read_jsonl(tmp_path / "train.jsonl")] == sorted(
        p.meta["a"] for p in load_problems(tmp_path / "train.jsonl")
    )  # the source's order
