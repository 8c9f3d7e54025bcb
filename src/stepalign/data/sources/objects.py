"""Rows of what Python holds: dictionaries or problems in a list, or a dataset of `datasets`.

>>> next(iter(ObjectRows([{"question": "2 + 2?", "answer": 4}])))
Row(where='the list, row 1', values={'question': '2 + 2?', 'answer': 4})
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.data.row import Row, show
from stepalign.data.sources.files import choose_split


class ObjectRows:
    """The rows in order.

    Args:
        source: dictionaries or problems, a `datasets.Dataset`, or a `DatasetDict`.
        split: of a `DatasetDict`; `likely` is taken where there are several and none is asked for.
    Raises:
        DataError: something else.
    """

    def __init__(self, source: Any, split: str | None = None, likely: str | None = None) -> None:
        datasets = sys.modules.get("datasets")
        self.name, self.stem = "the list", "problem"
        if datasets is not None and isinstance(source, datasets.DatasetDict | datasets.IterableDatasetDict):
            self.stem = choose_split("the datasets", list(source.keys()), split, likely)
            self.name, source = f"the dataset, split {self.stem}", source[self.stem]
        if datasets is not None and isinstance(source, datasets.Dataset | datasets.IterableDataset):
            self.name = self.name.replace("the list", "the dataset")
            source = source.with_format(None)  # tensors and arrays are no rows
        if isinstance(source, str | bytes | Mapping) or not isinstance(source, Iterable):
            raise DataError(
                f"got {show(source)}, a {type(source).__name__}; expected a path, a name on the hub, a list of "
                "dictionaries, or a dataset."
            )
        self._source: Iterable[Any] = source if not isinstance(source, Iterator) else list(source)
        self._num_read = 0

    def __iter__(self) -> Iterator[Row | DataError]:
        for values in self._source:
            self._num_read += 1
            yield self._row(values, self._num_read)

    def head(self, count: int) -> list[Row]:
        """The first rows."""
        rows = (self._row(values, number) for number, values in enumerate(islice(self._source, count), start=1))
        return [row for row in rows if isinstance(row, Row)]

    def state(self) -> dict[str, Any]:
        """How far it is."""
        return {"num_rows": self._num_read}

    def fingerprint(self) -> list[Any]:
        """Which rows these are."""
        return [self.name]

    def _row(self, values: object, number: int) -> Row | DataError:
        where = f"{self.name}, row {number}"
        if isinstance(values, Problem):
            values = values.to_json()
        if not isinstance(values, Mapping):
            return DataError(f"{where}: got {show(values)}; expected a dictionary or a Problem.")
        return Row(where, {str(key): value for key, value in values.items()})
