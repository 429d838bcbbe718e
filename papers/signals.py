"""What other packages may listen to. Sent inside the transaction that makes it true."""

from django.dispatch import Signal

# Arguments: kept_id, dropped_id. Two rows turned out to be one paper: what hangs on the dropped one moves to the other.
papers_merged = Signal()
# Arguments: paper_ids. Readers see these papers differently now: their text was corrected, or they were withdrawn.
papers_changed = Signal()
