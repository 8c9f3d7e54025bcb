"""Curation: from a large source of problems to those that a solver half masters and a critic can teach.

    >>> from stepalign.curation.outputs import write_outputs
    >>> from stepalign.curation.pipeline import Curation
    >>> from stepalign.micro import SOLVER_DIR
    >>> from stepalign.settings.curate import CurateSettings
    >>> sizes = {"num_samples": 2, "num_validation": 1, "num_test": 1, "correct_rate_above": -1}
    >>> arguments = CurateSettings(source="train.jsonl", solver_model=str(SOLVER_DIR), output_dir="curated", **sizes)
    >>> curation = Curation(arguments)
    >>> curation.run()
    >>> funnel = write_outputs(curation.store, arguments, is_exhausted=curation.is_exhausted, has_critic=False)
    >>> funnel["num_rows"]
    8

The stages, in this order (`funnel.STAGES`): cheap ones a row at a time (`screen`), then the solver's samples and the
critic's solution (`judge`), so that only what passed is sampled. `pipeline` runs them, `store` keeps what is decided.
"""

from stepalign.curation.outputs import write_outputs
from stepalign.curation.pipeline import Curation, Progress
from stepalign.settings.curate import CurateSettings

__all__ = ["CurateSettings", "Curation", "Progress", "write_outputs"]
