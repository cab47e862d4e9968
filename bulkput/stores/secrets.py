"""What a server says, without the secrets that a store told it. The work is done below, where proxies need it too."""

from bulkput.transport.secrets import text_without_secrets, without_secrets

__all__ = ["text_without_secrets", "without_secrets"]
