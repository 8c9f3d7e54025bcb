"""Where `Reply` was in version 0.1.0; it is in `stepalign.clients.client` now."""

from stepalign.clients.client import Reply

__all__ = ["Reply"]
