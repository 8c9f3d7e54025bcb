"""Where `parse_edit` was in version 0.1.0; it is in `stepalign.feedback.critics.protocols` now."""

from stepalign.feedback.critics.protocols import parse_edit

__all__ = ["parse_edit"]
