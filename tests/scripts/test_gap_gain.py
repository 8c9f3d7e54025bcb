"""The picture of what preflight foretells."""

from scripts.gap_gain import draw

from stepalign.core.files import read_json
from stepalign.signal.gains import known_line, known_points


def test_the_picture_has_its_numbers_beside_it(tmp_path):
    draw(tmp_path)
    drawn = read_json(tmp_path / "gap-gain.json")
    assert drawn["points"] == [point.to_json() for point in known_points()]
    assert drawn["line"]["slope"] == known_line().slope
    assert (tmp_path / "gap-gain.png").stat().st_size > 10_000
