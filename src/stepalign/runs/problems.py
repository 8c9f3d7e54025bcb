"""The problems that a directory's rollouts are of, as they were when they were used.

A command keeps what it was given as `problems.used.jsonl`. The runs of a comparison share `problems/train.jsonl`, three
levels above each of them; a file that merely happens to lie there is none of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stepalign.runs.files import CONFIG, USED_PROBLEMS, problems_file, seed_directory
from stepalign.runs.row import read_mapping, read_rows
from stepalign.runs.rows import ProblemRow


def used_problems(directory: Path) -> list[ProblemRow]:
    """Those that a directory keeps, or its comparison does; none where nobody does."""
    kept = read_rows(directory / USED_PROBLEMS, ProblemRow)
    shared = None if kept else comparison_problems(directory, read_mapping(directory / CONFIG))
    return kept if shared is None else read_rows(shared, ProblemRow)


def comparison_problems(directory: Path, config: Mapping[str, object]) -> Path | None:
    """The training problems of the comparison that a run is part of, wherever it lies now; None: it is part of none.

    Args:
        directory: of the run.
        config: its resolved settings, which name the file that it was trained on and where it was written to then.
    """
    directory = directory.resolve()
    if len(directory.parents) < 3:
        return None
    top, trained_on = directory.parents[2], config.get("train_problems")
    if directory != seed_directory(top, directory.parent.name, directory.name.removeprefix("seed_")):
        return None
    written_to = Path(str(config.get("output_dir") or directory))
    then = problems_file(written_to.parents[2], "train") if len(written_to.parents) >= 3 else None
    own = problems_file(top, "train")
    named = Path(str(trained_on)) in (own, then) if trained_on is not None else "micro_seed" not in config
    return own if named else None
