"""Rows of a dataset of the hub, always streamed: nothing is downloaded but what is read.

    >>> rows = HubRows("openai/gsm8k", "main", "train")
    >>> row = next(iter(rows))
    >>> rows = HubRows("openai/gsm8k", "main", "train", rows.state())       # goes on behind the last row

A hub that cannot be reached is said at once instead of after the client's many retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from huggingface_hub import constants

from stepalign.core.errors import DataError, first_line
from stepalign.core.hub import connection_error
from stepalign.data.row import Row

INSTEAD = "Or download its files and give their path as the source, with its name as the adapter."


class HubRows:
    """The rows of one split in order, from where `state` says.

    Raises:
        DataError: the hub cannot be reached, or it has no such dataset, subset or split.
    """

    def __init__(self, path: str, subset: str | None, split: str, state: dict[str, Any] | None = None) -> None:
        self._name = (path, subset, split)
        self._num_read = state["num_rows"] if state else 0
        self._dataset = _load(path, subset, split)
        self._first = deepcopy(self._dataset)  # reading it must not move the other
        if state:
            self._dataset.load_state_dict(state["dataset"])

    def __iter__(self) -> Iterator[Row]:
        try:
            for values in self._dataset:
                self._num_read += 1
                yield Row(f"{self._name[0]}, row {self._num_read}", values)
        except (OSError, ValueError, RuntimeError) as error:  # the client's many ways of saying that a read failed
            raise DataError(
                f"reading {self._name[0]} stopped behind row {self._num_read}: {first_line(error)} Run again to go on."
            ) from error

    def head(self, count: int) -> list[Row]:
        """The first rows, whatever was read before."""
        rows = enumerate(self._first.take(count), start=1)
        return [Row(f"{self._name[0]}, row {number}", values) for number, values in rows]

    def state(self) -> dict[str, Any]:
        """What to go on with behind the last row given out."""
        return {"num_rows": self._num_read, "dataset": self._dataset.state_dict()}

    def fingerprint(self) -> list[Any]:
        """Which rows these are."""
        return list(self._name)


def _load(path: str, subset: str | None, split: str) -> Any:
    check_hub(path)
    import datasets

    try:
        return datasets.load_dataset(path, subset, split=split, streaming=True)
    except Exception as error:  # it raises many kinds
        raise DataError(f"cannot read {path} (subset {subset}, split {split}): {first_line(error)}") from error


def check_hub(path: str) -> None:
    """
    Raises:
        DataError: the hub cannot be reached.
    """
    if constants.HF_HUB_OFFLINE:
        raise DataError(f"{path} is on the hub, and HF_HUB_OFFLINE is set. Unset it. {INSTEAD}")
    error = connection_error()
    if error is not None:
        raise DataError(
            f"{path} is on the hub, and {constants.ENDPOINT} cannot be reached ({error}). "
            f"Connect to the network. {INSTEAD}"
        )
