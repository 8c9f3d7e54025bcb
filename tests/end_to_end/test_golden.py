"""The golden loss curve of the micro world: a change that should not alter results leaves it alone.

On the machine that wrote it the curve is identical; elsewhere other arithmetic may flip a sampled token, hence the
tolerance. After a change that does alter results: `python tests/end_to_end/test_golden.py` writes the new one.
"""

import json
import tempfile
from pathlib import Path

import pytest

from stepalign.core.files import read_jsonl, write_json

GOLDEN = Path(__file__).parent / "golden.json"
TOLERANCE = 0.02  # relative, across machines


def curve(condition: str, directory: Path) -> list[float]:
    from stepalign import train

    train(
        config="micro",
        condition=condition,
        output_dir=str(directory / condition),
        max_steps=3,
        per_device_train_batch_size=8,
        micro_num_train=24,
        disable_tqdm=True,
    )
    return [row["loss"] for row in read_jsonl(directory / condition / "metrics.jsonl")]


@pytest.mark.parametrize("condition", ["refsol", "stepalign"])
def test_the_golden_curve_stands(condition, tmp_path):
    assert curve(condition, tmp_path) == pytest.approx(json.loads(GOLDEN.read_text())[condition], rel=TOLERANCE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write_json(GOLDEN, {name: curve(name, Path(scratch)) for name in ("refsol", "stepalign")})
