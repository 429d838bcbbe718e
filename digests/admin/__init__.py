"""The editor's desk and the owner's tables in the admin: importing this registers them."""

from digests import comparison_admin
from digests.admin import changes, deliveries, editions, letters

__all__ = ["changes", "comparison_admin", "deliveries", "editions", "letters"]
