"""A whole curation: run to its end, what it leaves written, and the funnel printed.

>>> from stepalign.micro import SOLVER_DIR
>>> sizes = {"num_samples": 2, "num_validation": 1, "num_test": 1, "correct_rate_above": -1}
>>> settings = CurateSettings(source="train.jsonl", solver_model=str(SOLVER_DIR), output_dir="curated", **sizes)
>>> curate(settings)["num_rows"]
8 of 8  well_formed
...
8
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from stepalign.core.environment import describe_environment
from stepalign.core.files import exclusive, write_json, write_text
from stepalign.curation.funnel import table
from stepalign.curation.outputs import summarize, write_splits
from stepalign.curation.pipeline import Curation, Progress
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.settings.curate import CurateSettings


def curate(settings: CurateSettings, critic: CriticSettings | None = None) -> dict[str, Any]:
    """What `funnel.json` holds.

    Raises:
        ConfigError, DataError: a setting or the source is unusable, or too few problems passed.
        ModelError, CriticError: the solver or the critic cannot be asked; run again to go on.
    """
    directory = Path(str(settings.output_dir))
    with exclusive(directory, timeout_s=1):
        with _bar(settings.num_problems) as bar:
            curation = Curation(settings, critic, on_progress=lambda progress: _show(bar, progress))
            bar.update(min(curation.store.num_kept, settings.num_problems or curation.store.num_kept))
            curation.run()
        record = asdict(settings) | (asdict(critic) if critic is not None else {})
        write_text(directory / "config.yaml", yaml.safe_dump(record, sort_keys=False, allow_unicode=True))
        write_json(directory / "environment.json", describe_environment())
        has_critic, store = critic is not None, curation.store
        result = summarize(store, settings, is_exhausted=curation.is_exhausted, has_critic=has_critic)
        print(table(result))
        write_splits(store, settings, result["num_kept"])
    return result


def _bar(num_problems: int) -> tqdm[Any]:
    interval_s = 1.0 if sys.stderr.isatty() else 30.0  # a log wants few lines
    total = num_problems or None
    return tqdm(total=total, desc="found", unit="problem", dynamic_ncols=True, mininterval=interval_s, miniters=0)


def _show(bar: tqdm[Any], progress: Progress) -> None:
    bar.set_postfix(rows=progress.num_rows, samples=progress.num_samples, refresh=False)
    bar.update(min(progress.num_kept, bar.total or progress.num_kept) - bar.n)
