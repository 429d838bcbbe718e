"""What each mail provider posts to our webhook, in the shape its documentation gives; the values are made up.

    provider = PROVIDERS["postmark"]
    provider.post(client, provider.payload("hard", Facts(outgoing_id=…)))

Fields that a provider sends and nobody here reads are there as well, so that what reads them stays honest. Sources
stand beside each.
"""

from tests.providers.amazon_ses import amazon_ses, sns_headers
from tests.providers.base import KINDS, SECRET, SETTINGS, Facts, Provider
from tests.providers.brevo import brevo
from tests.providers.mailersend import mailersend, mailersend_headers
from tests.providers.mailgun import mailgun, mailgun_signature
from tests.providers.mailjet import mailjet
from tests.providers.mailtrap import mailtrap, mailtrap_headers
from tests.providers.postmark import postmark
from tests.providers.resend import resend, svix_headers
from tests.providers.sparkpost import sparkpost

__all__ = ["KINDS", "PROVIDERS", "SECRET", "SETTINGS", "Facts", "Provider", "mailgun_signature"]

PROVIDERS = {
    "amazon_ses": Provider(path="/anymail/amazon_ses/tracking/", build=amazon_ses, sign=sns_headers),
    "brevo": Provider(path="/anymail/brevo/tracking/", build=brevo),
    "mailersend": Provider(
        path="/anymail/mailersend/tracking/",
        build=mailersend,
        sign=mailersend_headers,
        is_signed=True,
        by_message_id=True,
    ),
    "mailgun": Provider(path="/anymail/mailgun/tracking/", build=mailgun),
    "mailjet": Provider(path="/anymail/mailjet/tracking/", build=mailjet),
    "mailtrap": Provider(path="/anymail/mailtrap/tracking/", build=mailtrap, sign=mailtrap_headers, is_signed=True),
    "postmark": Provider(path="/anymail/postmark/tracking/", build=postmark),
    "resend": Provider(path="/anymail/resend/tracking/", build=resend, sign=svix_headers),
    "sparkpost": Provider(path="/anymail/sparkpost/tracking/", build=sparkpost),
}
