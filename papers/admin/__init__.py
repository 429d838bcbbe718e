"""Sources, papers and topics in the admin: importing this registers them."""

from papers.admin import papers, sources, topics

__all__ = ["papers", "sources", "topics"]
