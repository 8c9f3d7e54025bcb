"""Curation: from a large source of problems to those that a solver half masters and a critic can teach.

    curation = Curation(CurateSettings(source="openmathreasoning", solver_model="Qwen/Qwen3-1.7B", output_dir="out"))
    curation.run()
    write_outputs(curation.store, curation.arguments, is_exhausted=curation.is_exhausted, has_critic=False)

The stages, in this order (`funnel.STAGES`): cheap ones a row at a time (`screen`), then the solver's samples and the
critic's solution (`judge`), so that only what passed is sampled. `pipeline` runs them, `store` keeps what is decided.
"""

from stepalign.curation.outputs import write_outputs
from stepalign.curation.pipeline import Curation, Progress
from stepalign.settings.curate import CurateSettings

__all__ = ["CurateSettings", "Curation", "Progress", "write_outputs"]
