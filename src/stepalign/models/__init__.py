"""Causal language models in process: loading them, sampling from them, and their heads."""

from stepalign.models.head import head_of
from stepalign.models.loading import LoadedModel, load_model, own_defaults
from stepalign.models.sampling import Sampling, sample_responses

__all__ = ["LoadedModel", "Sampling", "head_of", "load_model", "own_defaults", "sample_responses"]
