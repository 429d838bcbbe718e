"""What other packages may listen to. Sent inside the transaction that makes it true."""

from django.dispatch import Signal

# Arguments: subscriber_id, now. The subscriber confirmed and is due for a first digest.
subscriber_confirmed = Signal()
# Arguments: outgoing_id, state, detail, now. A mail service told us what became of a mail that is no notice.
mail_event_stored = Signal()
