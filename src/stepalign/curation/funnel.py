"""The funnel: how many rows each stage got and let through, as JSON, as a table, and as a picture.

Every row is dropped by one stage or kept, so the stages add up: `num_in` of a stage is `num_out` of the one before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from stepalign.core.files import write_json

KEPT = ""
STAGES = {
    "well_formed": "the row has a problem and an answer column that can be read",
    "wanted": "its meta has the wanted values",
    "first_seen": "no earlier row has the same problem",
    "usable_answer": "the answer can be graded",
    "not_in_evaluation_sets": "no run of words shared with an evaluation problem",
    "no_near_duplicate": "no earlier problem is nearly the same",
    "sampled": "the solver gave all samples",
    "step_format": "enough samples have step tags",
    "solve_rate": "the solver fails on most samples, not on all",
    "critic_solves": "the critic solves it",
}


def funnel(counts: Counter[tuple[str, str]], skipped: Collection[str], **more: object) -> dict[str, Any]:
    """What `funnel.json` holds.

    Args:
        counts: rows by the stage that dropped them and the reason; the stage of rows that are kept is "".
        skipped: stages that were not set, which let everything through.
        more: further keys.
    """
    dropped = {stage: _reasons(counts, stage) for stage in STAGES}
    stages: list[dict[str, Any]] = []
    left = counts.total()
    for name, meaning in STAGES.items():
        stage = {"name": name, "num_in": left, "num_out": left - sum(dropped[name].values()), "meaning": meaning}
        if dropped[name]:
            stage["dropped"] = dropped[name]
        if name in skipped:
            stage["skipped"] = True
        stages.append(stage)
        left = stage["num_out"]
    assert left == sum(_reasons(counts, KEPT).values()), "a row has a stage that does not exist"
    return {"num_rows": counts.total(), "num_kept": left, **more, "stages": stages}


def table(result: Mapping[str, Any]) -> str:
    """The funnel as lines of text."""
    width = len(str(result["num_rows"]))
    lines: list[str] = []
    for stage in result["stages"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in stage.get("dropped", {}).items() if reason)
        note = "not asked for" if stage.get("skipped") else reasons
        lines.append(f"  {stage['num_out']:>{width}} of {stage['num_in']:>{width}}  {stage['name']:<24}{note}".rstrip())
    return "\n".join(lines)


def write_funnel(directory: Path, result: Mapping[str, Any]) -> None:
    """`funnel.json` and its picture as `funnel.svg` and `funnel.png`."""
    write_json(directory / "funnel.json", dict(result))
    draw(result, [directory / "funnel.svg", directory / "funnel.png"])


def draw(result: Mapping[str, Any], paths: Collection[Path]) -> None:
    """One bar a stage: what passed, over what came, on a logarithmic scale where counts differ by much.

    The same funnel gives the same bytes with the same versions of matplotlib and its fonts.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from stepalign.report.figures import METADATA, STYLE

    stages = [{"name": "rows", "num_in": result["num_rows"], "num_out": result["num_rows"]}, *result["stages"]]
    places = range(len(stages))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.3 * len(stages) + 0.6), layout="constrained")
        axes = figure.subplots()
        axes.barh(places, [max(s["num_in"], 0.8) for s in stages], color="#e4e2da", height=0.7)
        axes.barh(places, [max(s["num_out"], 0.8) for s in stages], color="#998ec3", height=0.7)
        for place, stage in zip(places, stages, strict=True):
            note = " (not asked for)" if stage.get("skipped") else ""
            axes.annotate(
                f"{stage['num_out']:,}{note}",
                (max(stage["num_in"], 0.8), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(places, [s["name"].replace("_", " ") for s in stages])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlim(0.8, max(1, result["num_rows"]) * 4)
        axes.set_xlabel("problems, logarithmic: passed (dark) of those that came (light)")
        for path in paths:
            figure.savefig(path, metadata=METADATA[path.suffix])


def _reasons(counts: Counter[tuple[str, str]], stage: str) -> dict[str, int]:
    """Counts of a stage by reason, most frequent first."""
    own = Counter({reason: count for (name, reason), count in counts.items() if name == stage})
    return dict(own.most_common())
