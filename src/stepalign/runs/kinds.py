"""Which command wrote a directory, by what is in it.

    >>> kind_of_directory(run.directory).command
    'compare'

A directory that several commands wrote to is of the kind that stands first in `KINDS`. Runs of version 0.1.0 have the
same files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stepalign.core.errors import DataError
from stepalign.runs import files
from stepalign.runs.row import read_mapping


@dataclass(frozen=True)
class Kind:
    """The directories of one command.

    Attributes:
        command: what writes them.
        names: files and directories of which it has at least one.
        setting: a key that its `config.yaml` has, and that of no other command.
    """

    command: str
    names: tuple[str, ...]
    setting: str = ""

    def has_written(self, directory: Path) -> bool:
        """Whether the directory is of this kind."""
        return any((directory / name).exists() for name in self.names) or (
            bool(self.setting) and self.setting in read_mapping(directory / files.CONFIG)
        )

    def __str__(self) -> str:
        setting = [f"{files.CONFIG} with '{self.setting}'"] if self.setting else []
        return f"{', '.join([*self.names, *setting])} ({self.command})"


COMPARISON = Kind("compare", (files.RESULTS, files.CONDITIONS), setting="conditions")
CURATION = Kind("curate", (files.FUNNEL, files.CURATION), setting="source")
PREFLIGHT = Kind("preflight", (files.PREFLIGHT, files.PREFLIGHT_SETTINGS))
TRAINING = Kind("train", (files.METRICS, files.ROLLOUTS), setting="condition")
EVALUATION = Kind("evaluate", (files.TEST_METRICS, files.EVALUATION))
GRADING = Kind("grade", (files.GRADES,))
LOCALIZATION = Kind("localize", (files.LOCALIZATION, files.LOCALIZE_SETTINGS))
CRITIQUE = Kind("critique", (files.CRITIQUES,))
INSPECTION = Kind("inspect", (files.ADVANTAGE,))
KINDS = (COMPARISON, CURATION, PREFLIGHT, TRAINING, EVALUATION, GRADING, LOCALIZATION, CRITIQUE, INSPECTION)


def kind_of_directory(directory: Path) -> Kind:
    """The kind of a command's output directory, finished or not.

    Raises:
        DataError: it is no directory, or no command wrote it; the message lists what was looked for.
    """
    if directory.is_file():
        raise DataError(
            f"{directory}: got a file; expected the output directory of a command. For a page of rollouts that were "
            f"logged elsewhere: stepalign grade --samples {directory} --output_dir graded, then stepalign report "
            "graded."
        )
    if not directory.is_dir():
        raise DataError(f"{directory}: no such run directory. Give the output directory of a command.")
    for kind in KINDS:
        if kind.has_written(directory):
            return kind
    below = [str(path) for path in sorted(directory.iterdir()) if path.is_dir() and _is_known(path)]
    remedy = f"Take one of: {', '.join(below)}." if below else "Give the output directory of a command."
    looked = "; ".join(map(str, KINDS))
    raise DataError(f"{directory}: not a run directory; looked for one of: {looked}. {remedy}")


def _is_known(directory: Path) -> bool:
    return any(kind.has_written(directory) for kind in KINDS)
