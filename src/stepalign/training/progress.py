"""What a run shows of itself on stderr: a bar on a terminal; elsewhere a line for each tenth of the way.

    step 12/70 |███▎               | loss 0.412, 12 % correct, 03:10 left
    step 14 of 70: loss 0.398, 16 % correct, 03:02 left

Loss and share of correct rollouts are those of the last logged step.

    >>> trainer.add_callback(ShowProgress())
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

NUM_LINES = 10  # where there is no terminal; the first step and the last have a line in any case
BAR = "step {n_fmt}/{total_fmt} |{bar}| {desc}{remaining} left"


class ShowProgress(TrainerCallback):
    """Of the main process. A resumed run begins at the step it is taken up at; time left is by this session's pace."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None
        self.numbers = ""  # of the last logged step
        self.began, self.first, self.said = time.monotonic(), 0, -1

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """The bar, at the step where the run stands."""
        self.began, self.first = time.monotonic(), state.global_step
        if state.is_world_process_zero and sys.stderr.isatty():
            self.bar = tqdm(
                total=state.max_steps, initial=state.global_step, bar_format=BAR, dynamic_ncols=True, file=sys.stderr
            )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """The bar moves."""
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        """The numbers beside the bar, or a line where one is due."""
        if not state.is_world_process_zero or logs is None or "loss" not in logs:
            return
        self.numbers = "".join(f"{number}, " for number in _numbers(logs))
        if self.bar is not None:
            self.bar.set_description_str(self.numbers)
        elif self.said < 0 or _tenth(state.global_step, state) > _tenth(self.said, state):
            self._say(state)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """The last step is shown, whether or not it was logged."""
        if self.bar is None and state.is_world_process_zero and state.global_step not in (self.first, self.said):
            self._say(state)
        self.close()

    def close(self) -> None:
        """Leave the bar as it stands, so that what is written next has a line of its own."""
        if self.bar is not None:
            self.bar.close()

    def _say(self, state: TrainerState) -> None:
        step = self.said = state.global_step
        pace = (time.monotonic() - self.began) / max(1, step - self.first)
        left = tqdm.format_interval(pace * (state.max_steps - step))
        print(f"step {step} of {state.max_steps}: {self.numbers}{left} left", file=sys.stderr, flush=True)


def _numbers(logs: Mapping[str, Any]) -> list[str]:
    correct = logs.get("rollouts/correct_rate")
    return [f"loss {logs['loss']:.3g}", *([] if correct is None else [f"{100 * correct:.0f} % correct"])]


def _tenth(step: int, state: TrainerState) -> int:
    return step * NUM_LINES // state.max_steps
