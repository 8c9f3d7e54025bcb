"""Measurements on a GPU that is there for minutes at a time and has no network: `sh scripts/gpu_day.sh`, docs/gpu.md.

`cargo` carries what the GPU machine lacks, `parts` runs the measurements one by one, `table` makes docs/gpu.md of them.
"""

from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".gpu_day"
