"""The child process of a comparison: train one condition with one seed and evaluate its checkpoints, or the base model.

python -m stepalign.cli.worker RUN RUN/conditions/stepalign/seed_0
python -m stepalign.cli.worker RUN RUN/base

Where a condition is trained in several processes, the child starts them by torchrun, which also works without a GPU
(accelerate launch needs MPI there), and evaluates alone once they are gone:

python -m torch.distributed.run --standalone --nproc-per-node 2 -m stepalign.cli.worker RUN RUN/conditions/... --train
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml

from stepalign.cli.main import guarded
from stepalign.comparison.tasks import PARENT
from stepalign.core.errors import StepalignError
from stepalign.core.files import exclusive
from stepalign.runs.files import CONFIG, SETTINGS, checkpoints, problems_file
from stepalign.runs.world import WORLD
from stepalign.settings.commands import COMPARE
from stepalign.settings.given import given_values

if TYPE_CHECKING:
    from stepalign.core.problem import Problem
    from stepalign.evaluation.checkpoints import Evaluator
    from stepalign.settings.run import Run

TRAIN = "--train"
LOCK_TIMEOUT_S = 60  # an orphan of a killed comparison may take a moment to notice
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
OF_THE_COMPARISON = (
    WORLD,
    "validation_problems",
    "test_problems",
    "out_of_domain_problems",
)  # in its record, and nothing that a child sets


def work(run_directory: Path, directory: Path) -> None:
    """Do what is not done yet in one directory of a comparison."""
    from stepalign.evaluation.checkpoints import evaluate_base, evaluate_checkpoints
    from stepalign.training.run import train as train_run

    trains = (directory / SETTINGS).exists()
    settings = read_settings(run_directory, directory)
    num_processes, num_seen = cast("int", settings["num_processes"]), cast("int", settings["num_seen"])
    if trains and num_processes > 1:
        train_in_processes(num_processes, run_directory, directory)
    run = resolved(settings)  # after training: TRL's settings take up a GPU
    with exclusive(directory, LOCK_TIMEOUT_S), make_evaluator(run, run_directory, num_seen) as evaluator:
        if trains:
            if num_processes == 1:
                train_run(run)
            evaluate_checkpoints(directory, checkpoints(directory), run.model_name, evaluator)
        else:
            evaluate_base(directory, run.model_name, evaluator)


def train(run_directory: Path, directory: Path) -> None:
    """Train as one of several processes; the first one holds the directory."""
    from stepalign.training.run import train as train_run

    run = resolved(read_settings(run_directory, directory))
    with exclusive(directory, LOCK_TIMEOUT_S) if run.process_index == 0 else nullcontext():
        train_run(run)


def train_in_processes(num_processes: int, run_directory: Path, directory: Path) -> None:
    """`train` in so many new processes, on one GPU each; returns when all are done.

    Raises:
        StepalignError: one of them failed, with what it said. The others are stopped first.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun  # pyright: ignore[reportUnknownVariableType]

    os.environ[PARENT] = str(os.getpid())  # they end with this process, as it does with the comparison
    script = ["-m", "stepalign.cli.worker", str(run_directory), str(directory), TRAIN]
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        torchrun(["--standalone", "--nproc-per-node", str(num_processes), *script])
    except ChildFailedError as error:
        process, failure = error.get_first_failure()
        said: object = failure.message
        said = cast("dict[str, object]", said)["message"] if isinstance(said, dict) else said
        raise StepalignError(f"process {process} of {num_processes} failed: {said}") from None
    finally:
        for number, handler in handlers.items():  # torchrun leaves its own
            signal.signal(number, handler)


def read_settings(run_directory: Path, directory: Path) -> dict[str, object]:
    """The comparison's settings with those of this directory, as they were laid out."""
    settings: dict[str, object] = yaml.safe_load((run_directory / CONFIG).read_text(encoding="utf-8"))
    own = directory / SETTINGS
    if own.exists():
        settings |= yaml.safe_load(own.read_text(encoding="utf-8"))
    else:
        settings["condition"] = "grpo"  # the base model is only evaluated: no feedback, no critic
    settings.setdefault("output_dir", str(directory))
    settings["disable_tqdm"] = True  # what it prints goes to a log; the parent shows the progress
    return {name: value for name, value in settings.items() if name not in OF_THE_COMPARISON}


def resolved(settings: Mapping[str, object]) -> Run:
    """The run of this directory."""
    from stepalign.cli.quiet import quieten
    from stepalign.settings.resolve import resolve_training

    quieten()
    return resolve_training(given_values(COMPARE, None, settings), asks_critic=False)  # the comparison did


@contextmanager
def make_evaluator(run: Run, run_directory: Path, num_seen: int) -> Generator[Evaluator]:
    """The evaluator of a comparison: its held-out problems, some that are trained on, and one sampling for all."""
    from stepalign.data.problems import load_problems
    from stepalign.evaluation.checkpoints import Evaluator, evaluation_sampling
    from stepalign.settings.grading import make_grader

    splits = {split: load_problems(problems_file(run_directory, split)) for split in ("validation", "test")}
    beside = {"seen": seen_problems(load_problems(problems_file(run_directory, "train")), num_seen, run)}
    out_of_domain = problems_file(run_directory, "out_of_domain")
    if out_of_domain.exists():
        beside["out_of_domain"] = load_problems(out_of_domain)
    family, kwargs = run.prompt_templates, run.chat_template_kwargs
    with make_grader(run.training) as grader:
        sampling = evaluation_sampling(run)
        yield Evaluator(splits, sampling, grader, family, kwargs, beside=beside, base=run.model_name)


def seen_problems(train: Sequence[Problem], count: int, run: Run) -> list[Problem]:
    """Some of the training problems, the same for all conditions, in their order."""
    rng = random.Random(f"stepalign seen {run.evaluation.eval_seed}")
    return [train[i] for i in sorted(rng.sample(range(len(train)), min(count, len(train))))]


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
