"""How cost grows: the loss kernel's with tokens and vocabulary, a whole step's with batch and context.

On each axis everything else stays the same, and the sizes are measured in turn. A straight line is fitted to the median
times; a row keeps its slope and intercept, its largest residual (as a share of the fitted time), and the exponent of
the power law through the same points. The ratios are read so:

- time: the largest size against the smallest, scaled up in proportion. 1 is linear; above 1 grows faster than that.
- peak memory: the largest size against the smallest, not scaled. 1 is flat.

    python -m benchmarks --only slopes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks import loss_kernel
from benchmarks.rows import Row, Values, row
from benchmarks.runner import Measurement, Settings, Side, measure_alternately
from benchmarks.sizes import Sizes
from benchmarks.train_step import OURS, prepare_step

PRELOAD = ("stepalign.maths.divergence", "benchmarks.trainers")
MOST_RUNS = 3


@dataclass(frozen=True)
class Axis:
    """One thing that grows. `arguments(size)` are those of `prepare`."""

    what: str
    unit: str
    sizes: Sequence[int]
    prepare: Callable[..., Callable[[], Any]]
    arguments: Callable[[int], dict[str, Any]]
    inputs: str


def run_case(name: str, settings: Settings) -> list[Row]:
    """A row of time and one of memory for each axis."""
    return [r for axis in axes(settings) for r in axis_rows(name, axis, measure_axis(axis, settings))]


def axes(settings: Settings) -> list[Axis]:
    if settings.quick:
        kernel = {"num_tokens": 256, "vocabulary": 4096, "width": 64}
        tokens, vocabularies = (256, 512, 1024), (2048, 4096, 8192)
        step = Sizes(vocabulary=2048, hidden=64, num_layers=1, batch_size=2, shortest=32, longest=32, context=64)
        batches, contexts = (1, 2, 4), (64, 128, 256)
    else:
        kernel = {"num_tokens": 1024, "vocabulary": 32_768, "width": 512}
        tokens, vocabularies = (1024, 2048, 4096, 8192, 16_384), (16_384, 32_768, 65_536, 151_936)
        step = Sizes(vocabulary=32_768, batch_size=4, shortest=256, longest=256)
        batches, contexts = (1, 2, 4, 8), (256, 512, 1024, 2048, 4096)

    def kernel_axis(unit: str, key: str, sizes: Sequence[int]) -> Axis:
        def arguments(size: int) -> dict[str, Any]:
            return {**kernel, key: size, "method": "stepalign", "dtype": "float32", "device": "cpu"}

        others = ", ".join(f"{k} {v:,}" for k, v in kernel.items() if k != key)
        return Axis("loss kernel", unit, sizes, loss_kernel.prepare, arguments, f"float32, {others}")

    def step_axis(unit: str, key: str, sizes: Sequence[int]) -> Axis:
        def arguments(size: int) -> dict[str, Any]:
            return {"trainer": OURS, "sizes": replace(step, **{key: size})}

        others = f"vocabulary {step.vocabulary:,}, hidden {step.hidden}, rollouts of {step.longest} tokens"
        return Axis("training step", unit, sizes, prepare_step, arguments, others)

    return [
        kernel_axis("tokens", "num_tokens", tokens),
        kernel_axis("vocabulary entries", "vocabulary", vocabularies),
        step_axis("rollouts a batch", "batch_size", batches),
        step_axis("tokens of context", "context", contexts),
    ]


def measure_axis(axis: Axis, settings: Settings) -> dict[int, list[Measurement]]:
    sides = {
        size: Side(f"{axis.what}, {size:,} {axis.unit}", axis.prepare, axis.arguments(size)) for size in axis.sizes
    }
    measured = measure_alternately(list(sides.values()), settings, runs=min(settings.runs, MOST_RUNS))
    return {size: measured[side.label] for size, side in sides.items()}


def axis_rows(name: str, axis: Axis, measured: dict[int, list[Measurement]]) -> list[Row]:
    smallest, largest = min(measured), max(measured)
    factor = largest / smallest
    subject, small = f"{axis.what}, {largest:,} {axis.unit}", f"{axis.what}, {smallest:,} {axis.unit}"
    times = {size: [m.time_s for m in runs] for size, runs in measured.items()}
    peaks = {size: [float(m.peak_bytes) for m in runs] for size, runs in measured.items()}
    scaled = Values(f"{small}, x {factor:.3g}", [factor * time for time in times[smallest]])
    return [
        row(name, "time", Values(subject, times[largest]), scaled, fit=fit(times), inputs=axis.inputs),
        row(name, "peak_memory", Values(subject, peaks[largest]), Values(small, peaks[smallest]), fit=fit(peaks)),
    ]


def fit(values: dict[int, list[float]]) -> dict[str, Any]:
    """The straight line through the medians, the largest relative residual, and the power law's exponent."""
    sizes = np.array(sorted(values), dtype=float)
    medians = np.array([median(values[int(size)]) for size in sizes])
    slope, intercept = np.polyfit(sizes, medians, 1)
    fitted = slope * sizes + intercept
    positive = bool((medians > 0).all())
    return {
        "slope": float(slope),
        "intercept": float(intercept),
        "largest_residual": float(np.abs(medians / fitted - 1).max()) if (fitted != 0).all() else None,
        "exponent": float(np.polyfit(np.log(sizes), np.log(medians), 1)[0]) if positive else None,
        "points": [[int(size), float(value)] for size, value in zip(sizes, medians, strict=True)],
    }
