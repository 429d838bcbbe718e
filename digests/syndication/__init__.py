"""The papers as feeds: Atom, RSS and JSON Feed."""
