"""The child process of a comparison: train one condition with one seed and evaluate its checkpoints, or the base model.

python -m stepalign.cli.worker RUN RUN/conditions/stepalign/seed_0
python -m stepalign.cli.worker RUN RUN/base
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from stepalign.cli.main import guarded
from stepalign.study.tasks import PARENT


def work(run_directory: Path, directory: Path) -> None:
    """Do what is not done yet in one directory of a comparison."""
    from stepalign.cli.config import parse_settings
    from stepalign.cli.quiet import quieten
    from stepalign.cli.train import train_condition, types
    from stepalign.cli.wiring import make_evaluator, resolve_model
    from stepalign.core.files import append_jsonl, exclusive, read_jsonl
    from stepalign.study.checkpoints import EVALUATIONS, evaluate_checkpoints, evaluation_row
    from stepalign.study.compare import CompareArguments

    quieten()
    stored = yaml.safe_load((run_directory / "config.yaml").read_text(encoding="utf-8"))
    settings: dict[str, Any] = stored
    own = directory / "settings.yaml"
    if own.exists():
        settings = {**stored, **yaml.safe_load(own.read_text(encoding="utf-8"))}
    settings.setdefault("output_dir", str(directory))
    settings["disable_tqdm"] = True  # what it prints goes to a log; the parent shows the progress
    (study, critic, args, model_args, compare), _ = parse_settings([*types(), CompareArguments], [], settings)
    base_model = resolve_model(model_args.model_name_or_path)
    # an orphan of a killed comparison may take a moment to notice
    with exclusive(directory, timeout_s=60), make_evaluator(study, args, compare, run_directory) as evaluator:
        if own.exists():
            checkpoints = train_condition(study, critic, args, model_args)
            evaluate_checkpoints(directory, checkpoints, base_model, evaluator)
        elif not read_jsonl(directory / EVALUATIONS):
            append_jsonl(directory / EVALUATIONS, {"step": 0, **evaluation_row(evaluator.evaluate(base_model))})


def end_with_parent(poll_s: float = 0.5) -> None:
    """Leave when the comparison is gone: after a kill -9 nobody else would stop this process."""
    parent = os.environ.get(PARENT)

    def watch() -> None:
        while parent is None or os.getppid() == int(parent):
            time.sleep(poll_s)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    sys.exit(guarded(lambda: work(Path(sys.argv[1]), Path(sys.argv[2]))))
