"""The editor's desk and the owner's tables in the admin: importing this registers them."""

from digests.admin import changes, deliveries, editions, letters

__all__ = ["changes", "deliveries", "editions", "letters"]
