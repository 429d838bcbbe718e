"""The project's settings with shorter patience, so that what takes half a minute in production takes seconds here."""

from config.settings import *  # noqa: F403

EMAIL_TIMEOUT = 4
ANYMAIL = {**ANYMAIL, "REQUESTS_TIMEOUT": 4}  # noqa: F405
