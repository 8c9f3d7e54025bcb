"""The child process of a comparison: train one condition with one seed and evaluate its checkpoints, or the base model.

python -m stepalign.cli.worker RUN RUN/conditions/stepalign/seed_0
python -m stepalign.cli.worker RUN RUN/base

Where a condition is trained in several processes, the child starts them by torchrun, which also works without a GPU
(accelerate launch needs MPI there), and evaluates alone once they are gone:

python -m torch.distributed.run --standalone --nproc-per-node 2 -m stepalign.cli.worker RUN RUN/conditions/... --train
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import yaml

from stepalign.cli.main import guarded
from stepalign.comparison.tasks import PARENT
from stepalign.core.errors import StepalignError
from stepalign.core.files import exclusive

TRAIN = "--train"
LOCK_TIMEOUT_S = 60  # an orphan of a killed comparison may take a moment to notice
OWN_SETTINGS = "settings.yaml"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def work(run_directory: Path, directory: Path) -> None:
    """Do what is not done yet in one directory of a comparison."""
    from stepalign.cli.train import train_condition
    from stepalign.cli.wiring import make_evaluator, resolve_model
    from stepalign.evaluation.checkpoints import evaluate_base, evaluate_checkpoints
    from stepalign.runs.files import checkpoints

    trains = (directory / OWN_SETTINGS).exists()
    settings = read_settings(run_directory, directory)
    num_processes = settings["num_processes"]
    if trains and num_processes > 1:
        train_in_processes(num_processes, run_directory, directory)
    study, critic, args, model_args, compare = parse(settings)  # after training: TRL's settings take up a GPU
    base_model = resolve_model(model_args.model_name_or_path)
    with (
        exclusive(directory, LOCK_TIMEOUT_S),
        make_evaluator(study, args, compare, run_directory) as evaluator,
    ):
        if trains:
            if num_processes == 1:
                train_condition(study, critic, args, model_args)
            evaluate_checkpoints(directory, checkpoints(directory), base_model, evaluator)
        else:
            evaluate_base(directory, base_model, evaluator)


def train(run_directory: Path, directory: Path) -> None:
    """Train as one of several processes; the first one holds the directory."""
    from stepalign.cli.train import train_condition

    study, critic, args, model_args, _ = parse(read_settings(run_directory, directory))
    with exclusive(directory, LOCK_TIMEOUT_S) if args.process_index == 0 else nullcontext():
        train_condition(study, critic, args, model_args)


def train_in_processes(num_processes: int, run_directory: Path, directory: Path) -> None:
    """`train` in so many new processes, on one GPU each; returns when all are done.

    Raises:
        StepalignError: one of them failed, with what it said. The others are stopped first.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    os.environ[PARENT] = str(os.getpid())  # they end with this process, as it does with the comparison
    script = ["-m", "stepalign.cli.worker", str(run_directory), str(directory), TRAIN]
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        torchrun(["--standalone", "--nproc-per-node", str(num_processes), *script])
    except ChildFailedError as error:
        process, failure = error.get_first_failure()
        said: Any = failure.message
        said = said["message"] if isinstance(said, dict) else said
        raise StepalignError(f"process {process} of {num_processes} failed: {said}") from None
    finally:
        for number, handler in handlers.items():  # torchrun leaves its own
            signal.signal(number, handler)


def read_settings(run_directory: Path, directory: Path) -> dict[str, Any]:
    """The comparison's settings with those of this directory, as they were laid out."""
    settings: dict[str, Any] = yaml.safe_load((run_directory / "config.yaml").read_text(encoding="utf-8"))
    own = directory / OWN_SETTINGS
    if own.exists():
        settings |= yaml.safe_load(own.read_text(encoding="utf-8"))
    settings.setdefault("output_dir", str(directory))
    settings["disable_tqdm"] = True  # what it prints goes to a log; the parent shows the progress
    return settings


def parse(settings: dict[str, Any]) -> tuple[Any, ...]:
    """Study, critic, args and model_args of `stepalign train`, and the comparison's."""
    from stepalign.cli.config import parse_settings
    from stepalign.cli.quiet import quieten
    from stepalign.cli.train import types
    from stepalign.comparison.compare import CompareArguments

    quieten()
    return parse_settings([*types(), CompareArguments], [], settings)[0]


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
    directories = Path(sys.argv[1]), Path(sys.argv[2])
    if TRAIN in sys.argv[3:]:
        from torch.distributed.elastic.multiprocessing.errors import record

        sys.exit(guarded(lambda: record(train)(*directories)))  # it tells torchrun what went wrong
    sys.exit(guarded(lambda: work(*directories)))
