"""Makes the tables and the crowd of a chaos run: python -m tests.chaos.prepare READERS. Prints facts as JSON.

Leases are minutes long, and a run that kills somebody every second cannot wait for them. So the database of the run,
and nothing in the product, cuts every lease to LEASE_SECONDS, by a trigger.
"""

import json
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

LEASE_SECONDS = 8
PAPERS, MAX_PAPERS = 40, 5

POSTGRES = """
CREATE FUNCTION short_lease() RETURNS trigger AS $$
BEGIN NEW.lease_until := LEAST(NEW.lease_until, now() + interval '{seconds} seconds'); RETURN NEW; END
$$ LANGUAGE plpgsql;
CREATE TRIGGER short_lease BEFORE UPDATE OF lease_until ON digests_delivery
FOR EACH ROW WHEN (NEW.lease_until IS NOT NULL) EXECUTE FUNCTION short_lease();
CREATE TRIGGER short_lease BEFORE UPDATE OF lease_until ON subscriptions_notice
FOR EACH ROW WHEN (NEW.lease_until IS NOT NULL) EXECUTE FUNCTION short_lease();
"""
# Django writes instants as text, and text of one form compares as the instants do.
SQLITE = """
CREATE TRIGGER short_lease AFTER UPDATE OF lease_until ON digests_delivery
WHEN NEW.lease_until > strftime('%Y-%m-%d %H:%M:%f', 'now', '+{seconds} seconds')
BEGIN
  UPDATE digests_delivery SET lease_until = strftime('%Y-%m-%d %H:%M:%f', 'now', '+{seconds} seconds')
  WHERE id = NEW.id;
END
"""


def prepare(readers: int) -> dict[str, int]:
    from tests.crowd import make_edition, make_readers

    call_command("migrate", verbosity=0)
    now = timezone.now()
    make_edition(papers=PAPERS, now=now)
    make_readers(readers, max_papers=MAX_PAPERS, now=now)
    with connection.cursor() as cursor:
        cursor.execute((POSTGRES if connection.vendor == "postgresql" else SQLITE).format(seconds=LEASE_SECONDS))
    # How many connections to the mail service one process opens: that many mails may be of unknown fate after a kill.
    return {"connections": getattr(settings, "SEND_CONNECTIONS", 1)}


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps(prepare(int(sys.argv[1]))) + "\n")
