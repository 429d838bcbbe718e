"""The public pages: they combine papers, what the editor did with them, and the subscribe box."""
