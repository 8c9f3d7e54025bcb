"""Draw what preflight foretells: `python -m scripts.gap_gain --output_dir docs/images`.

Writes gap-gain.png and gap-gain.json: the points of src/stepalign/signal/gap_gain.jsonl and the line through them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

from stepalign.core.files import write_json
from stepalign.signal.gains import fit, known_points

MARKERS = ("o", "s", "^", "D")


def main() -> None:
    """The command line: a directory in, a picture and its numbers out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True)
    draw(parser.parse_args().output_dir)


def draw(directory: Path) -> None:
    """Both files."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    points, line = known_points(), fit(known_points())
    figure, axes = pyplot.subplots(figsize=(7.2, 4.4), dpi=150, layout="constrained")
    for marker, study in zip(MARKERS, sorted({point.study for point in points}), strict=False):
        own = [point for point in points if point.study == study]
        axes.scatter([p.gap for p in own], [p.gain for p in own], marker=marker, label=study)
        for point in own:
            axes.annotate(point.condition, (point.gap, point.gain), (5, 3), textcoords="offset points", fontsize=8)
    ends = [min(p.gap for p in points), max(p.gap for p in points)]
    axes.plot(ends, [line.at(gap) for gap in ends], color="0.5", label=f"line, r = {line.correlation:.2f}")
    axes.set_xlabel("gap before training: failures solved with the context, minus by resampling")
    axes.set_ylabel("gain in avg@12")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(directory / "gap-gain.png")
    pyplot.close(figure)
    write_json(directory / "gap-gain.json", {"line": line._asdict(), "points": [point.to_json() for point in points]})


if __name__ == "__main__":
    main()
