"""What other packages may listen to. Sent inside the transaction that makes it true."""

from django.dispatch import Signal

# Arguments: subscriber_id, now. The subscriber confirmed and is due for a first digest. A receiver returns how many
# digests are on their way to them now.
subscriber_confirmed = Signal()
# Arguments: outgoing_id, state, detail, address_hash, is_soft_bounce, now. A mail service told us
# what became of a mail that is no notice.
mail_event_stored = Signal()
