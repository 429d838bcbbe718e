"""What other packages may listen to. Sent inside the transaction that makes it true."""

from django.dispatch import Signal

# Arguments: subscriber_id, now. The subscriber confirmed and is due for a first digest. A receiver returns how many
# digests are on their way to them now.
subscriber_confirmed = Signal()
# Arguments: outgoing_id, state, detail, address_hash, is_soft_bounce, now. A mail service told us
# what became of a mail that is no notice.
mail_event_stored = Signal()
# Arguments: words, state. The same of many mails at once, where there is nothing to do but to note it: `words` has what
# was said of each, by its id. A receiver returns the ids of those it could move there.
mails_settled = Signal()
# Arguments: subscriber_id, first, count. A reader wants to see what we keep of them. A receiver returns a dict of plain
# values, of long lists no more than `count` items from `first` on (None: all).
reader_data_asked_for = Signal()
# Arguments: subscriber_id, is_more. A reader said something about papers, or chose other words or papers to go by; with
# `is_more` what they said before still stands.
reader_taste_changed = Signal()
# Arguments: subscriber_id. A reader wants to see what was learned of them. A receiver returns a dict of plain values.
reader_taste_asked_for = Signal()
# Arguments: subscriber_id. The row is about to be deleted: what names its owner elsewhere goes now.
subscriber_erased = Signal()
# Arguments: paper_id, is_pick, now. A curator accepted a paper that a reader submitted: it stands among our papers now.
submission_accepted = Signal()
