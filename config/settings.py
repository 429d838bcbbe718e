"""All settings, from the environment, with safe defaults for one machine.

Production is where `DATABASE_URL` is set: there the secrets, the site's address and a mail provider must be given
(`config.checks` says what is missing). Without it everything lives in `var/` and no mail leaves the machine.
Each variable is described in `docs/settings.md`.
"""

import re
from email.headerregistry import Address
from email.utils import parseaddr
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF
from kombu import Queue

from config import env
from config.production import problems
from mailer.dkim import BadKeyError, signer_for

# Lets `ModelAdmin[Paper]` and its like be written, as the type checker wants them.
django_stubs_ext.monkeypatch()

# Whatever is wrong from here on is said at the end, all of it at once, and nothing starts.
env.begin()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("VAR_DIR", str(BASE_DIR / "var"), "Where everything the machine writes is kept.")).resolve()

# --- which of the two sizes -----------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL", "", "PostgreSQL, as a URL. Setting it means production.")
PRODUCTION = bool(DATABASE_URL)
DEBUG = False
VERSION = "0.1.0"
OFFLINE = env.flag("OFFLINE", "Fetch nothing from outside; the bundled sample stands in for the sources.")

# --- secrets --------------------------------------------------------------------------------------
_keys = env.keys(var_dir=VAR_DIR, required=PRODUCTION)
SECRET_KEY = _keys["SECRET_KEY"]
LINK_KEY = _keys["LINK_KEY"]
ADDRESS_KEY = _keys["ADDRESS_KEY"]
SECRET_KEY_FALLBACKS = list(
    env.items("SECRET_KEY_FALLBACKS", "Former values of SECRET_KEY, still believed for a while after it was changed.")
)

# --- the site -------------------------------------------------------------------------------------
PORT = env.number("PORT", 8000, "The port of the web server on a single machine.")
SITE_URL = env.text(
    "SITE_URL",
    "" if PRODUCTION else f"http://127.0.0.1:{PORT}",
    "The site's public address, as links in mails show it.",
).rstrip("/")
_site = urlsplit(SITE_URL)
if _site.scheme not in {"http", "https"} or not _site.hostname:
    env.wrong(f"SITE_URL must be an address like https://papers.example.org, not {SITE_URL!r}.")
SITE_DOMAIN = _site.hostname or "localhost"
SITE_NAME = env.text("SITE_NAME", "Daily Papers", "The name of the newsletter, on pages and in mails.")
HTTPS = _site.scheme == "https"
# 127.0.0.1 is for health checks from inside; links are always made from SITE_URL, never from the Host header.
ALLOWED_HOSTS = [SITE_DOMAIN, "127.0.0.1", "localhost"]
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]

INSTALLED_APPS = [
    "config.apps.ConfigApp",
    "limits.apps.LimitsApp",
    "papers.apps.PapersApp",
    "subscriptions.apps.SubscriptionsApp",
    "digests.apps.DigestsApp",
    "mailer.apps.MailerApp",
    "anymail",
    "config.apps.DeskAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
]

MIDDLEWARE = [
    "config.requests.RequestIds",
    "config.headers.MoreHeaders",
    # These two stand before whatever may answer by itself: a redirect to https, a static file, a refused host.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.sizes.BodySizes",
    "subscriptions.pages.languages.PageLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.webhooks.WebhookAnswers",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

# Two engines: Django escapes plain-text templates too, so text parts of mails get an engine of their own that does not.
TEMPLATES: list[dict[str, Any]] = [
    {
        "NAME": "html",
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mailer.links.site_context",
            ],
        },
    },
    {
        "NAME": "text",
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"autoescape": False},
    },
]

# --- data -----------------------------------------------------------------------------------------
if PRODUCTION:
    DATABASES: dict[str, dict[str, Any]] = {"default": {"ENGINE": ""}}
    try:
        DATABASES["default"] = dict(dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True))
    except ValueError:
        # Its own words hold the address, and with it the password.
        env.wrong("DATABASE_URL must be like postgresql://user:password@host:5432/name.")
    if "postgresql" in DATABASES["default"]["ENGINE"]:
        # A database that does not answer is away within seconds, whether it refuses, hangs, or was cut off while asked.
        # https://www.postgresql.org/docs/current/libpq-connect.html
        _waits = {"connect_timeout": 3, "keepalives_idle": 20, "keepalives_interval": 5, "tcp_user_timeout": 15_000}
        DATABASES["default"]["OPTIONS"] = {**_waits, **DATABASES["default"].get("OPTIONS", {})}
else:
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(VAR_DIR / "db.sqlite3"),
            "OPTIONS": {
                # A transaction that will write takes the lock at once: waiting is fine, failing half-way is not.
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- the queue: a doorbell, never the truth -------------------------------------------------------
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0", "Redis or Valkey, the doorbell between the processes.")
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 270
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# SIGTERM ends a worker in seconds: batches are told (see config/celery.py). After SIGQUIT they are not, as Celery tells
# us of it only after this wait, and have so long to end by themselves.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 45.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 30}
# A web request rings the bell and goes on: the sweeper finds what a broker that is down did not hear.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
CELERY_TIMEZONE = "UTC"
# Queues are asked in turn by every worker: a sign-up's confirmation does not wait behind a morning's digests. What is
# learned of readers has one of its own, so that a worker may be kept for it (`celery worker -Q learning`).
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_QUEUES = (Queue("celery"), Queue("notices"), Queue("learning"))
CELERY_TASK_ROUTES = {
    # Long work; it would keep confirmations waiting.
    "subscriptions.tasks.run_imports": {"queue": "celery"},
    "subscriptions.tasks.read_bounces": {"queue": "celery"},
    "subscriptions.tasks.read_submissions": {"queue": "celery"},
    "subscriptions.tasks.*": {"queue": "notices"},
    "digests.tasks.learn_tastes": {"queue": "learning"},
}

# --- sources --------------------------------------------------------------------------------------
FETCH_ALLOW = frozenset(
    env.items("FETCH_ALLOW", "host:port pairs that may be fetched although they are private addresses.")
)
FETCH_USER_AGENT = f"DailyPapers/{VERSION} (+{SITE_URL})"

# --- choosing papers --------------------------------------------------------------------------------
ENCODER = env.text(
    "ENCODER",
    "",
    "Beside words, go by vectors of papers: package.module:function of an installed package, which takes a list of "
    "texts and gives a row of numbers for each. Default: words alone.",
)
ENCODER_DIR = env.text("ENCODER_DIR", "", "Where that function finds its weights, if it asks for it.")

# --- one line on each paper by a machine: off unless an address and a model are given -----------------
SUMMARY_URL = env.text(
    "SUMMARY_URL", "", "Who writes one line on each paper: an API like OpenAI's, such as http://127.0.0.1:11434/v1."
)
SUMMARY_MODEL = env.text("SUMMARY_MODEL", "", "Which model there; without it no line is written.")
SUMMARY_KEY = env.text("SUMMARY_KEY", "", "The key for it, where it wants one.")
SUMMARY_DAILY_LIMIT = env.number("SUMMARY_DAILY_LIMIT", 100, "About how many papers it may be asked on a day (UTC).")

# --- editions -------------------------------------------------------------------------------------
EDITION_CUTOFF = env.clock_time("EDITION_CUTOFF", "07:00", "When a draft edition publishes itself.")
EDITION_TIME_ZONE = env.text("EDITION_TIME_ZONE", "UTC", "The time zone of the cut-off and of an edition's day.")

# --- pages ----------------------------------------------------------------------------------------
PAGE_CACHE_SECONDS = env.number(
    "PAGE_CACHE_SECONDS",
    60,
    "How long a public page is kept in memory, unless an edition changes; 0 makes each one anew.",
)

# --- mail -----------------------------------------------------------------------------------------
EMAIL_PROVIDER = env.text(
    "EMAIL_PROVIDER",
    "" if PRODUCTION else "outbox",
    "Who carries the mail: outbox (stays on this machine), smtp, or a provider Anymail knows (postmark, mailgun, …).",
).lower()
LOCAL_MAILBOX = EMAIL_PROVIDER == "outbox"
OUTBOX_DIR = VAR_DIR / "outbox"
_OWN_BACKENDS = {
    "outbox": "mailer.outbox.OutboxBackend",
    "smtp": "mailer.smtp.EmailBackend",
}
_anymail_module = f"anymail.backends.{ {'ses': 'amazon_ses'}.get(EMAIL_PROVIDER, EMAIL_PROVIDER) }"
# Anymail's own, which we add something to.
_BETTERED_BACKENDS = {
    "resend": "mailer.resend.EmailBackend",
    **dict.fromkeys(["ses", "amazon_ses"], "mailer.amazon.EmailBackend"),
}
if EMAIL_PROVIDER not in _OWN_BACKENDS and not (EMAIL_PROVIDER.isidentifier() and find_spec(_anymail_module)):
    env.wrong(
        f"EMAIL_PROVIDER is {EMAIL_PROVIDER!r}: it must be smtp, or a provider that Anymail knows, like postmark."
    )
if EMAIL_PROVIDER in {"ses", "amazon_ses"} and not find_spec("boto3"):
    env.wrong("EMAIL_PROVIDER=ses needs the AWS client: pip install boto3.")
if PRODUCTION and LOCAL_MAILBOX:
    env.wrong("EMAIL_PROVIDER=outbox is for one machine: no mail would leave, and all could be read.")
EMAIL_BACKEND = (_OWN_BACKENDS | _BETTERED_BACKENDS).get(EMAIL_PROVIDER, f"{_anymail_module}.EmailBackend")
EMAIL_HOST = env.text("EMAIL_HOST", "127.0.0.1", "The SMTP server, for EMAIL_PROVIDER=smtp.")
EMAIL_PORT = env.number("EMAIL_PORT", 587, "Its port.")
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "", "The account there.")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "", "Its password.")
EMAIL_USE_SSL = env.flag(
    "EMAIL_USE_SSL", "Speak TLS from the first byte; on where EMAIL_PORT is 465.", default=EMAIL_PORT == 465
)
EMAIL_USE_TLS = env.flag(
    "EMAIL_USE_TLS",
    "Start TLS on the SMTP connection; on unless EMAIL_HOST is this machine or EMAIL_USE_SSL is on.",
    default=not EMAIL_USE_SSL and EMAIL_HOST not in {"localhost", "::1"} and not EMAIL_HOST.startswith("127."),
)
EMAIL_TIMEOUT = 30
SEND_CONNECTIONS = max(
    1, env.number("SEND_CONNECTIONS", 8, "How many connections to the mail service a sending process opens at most.")
)
SEND_RATE = env.number(
    "SEND_RATE",
    0,
    "How many mails may leave in a second, over all workers; 0 sets no limit. A tenth is held back, so that no "
    "second sees more.",
)
SEND_RATE_PER_DOMAIN = env.rates("SEND_RATE_PER_DOMAIN", "The same for some recipients' domains: gmail.com=10.")
SEND_WARMUP_START = env.number(
    "SEND_WARMUP_START", 0, "How many mails may leave on the first day of a new sender; the cap grows for 42 days."
)
DEFAULT_FROM_EMAIL = env.text(
    "DEFAULT_FROM_EMAIL",
    # Quotes the name where it must be quoted, and leaves its letters as they are.
    str(Address(SITE_NAME, "papers", SITE_DOMAIN)),
    "The sender of every mail: Name <address>.",
)
_, _at, MAIL_DOMAIN = parseaddr(DEFAULT_FROM_EMAIL)[1].rpartition("@")
if not _at:
    env.wrong(
        f"DEFAULT_FROM_EMAIL is {DEFAULT_FROM_EMAIL!r}: it must be like Name <papers@example.org>, and a name with"
        " signs like a comma in it stands in double quotes."
    )
DKIM_DOMAIN = env.text(
    "DKIM_DOMAIN", MAIL_DOMAIN, "The domain that mail over SMTP is signed for. Default: that of the sender's address."
)
# Pairs of a selector and a private key in PEM; none, and the mail server signs, or nobody does.
DKIM_KEYS: tuple[tuple[str, str], ...] = tuple(
    (selector, key)
    for selector, key in (
        (
            env.text("DKIM_SELECTOR", "papers", "Under which name the key of DKIM_KEY is published."),
            env.text("DKIM_KEY", "", "A private RSA or Ed25519 key in PEM: mail over SMTP is signed with it (DKIM)."),
        ),
        (
            env.text("DKIM_SECOND_SELECTOR", "papers2", "The same for a second key."),
            env.text("DKIM_SECOND_KEY", "", "A second key, of the other kind: each mail gets a signature of both."),
        ),
    )
    if key
)
try:
    signer_for(DKIM_DOMAIN, DKIM_KEYS)
except BadKeyError as error:
    env.wrong(f"DKIM_KEY or DKIM_SECOND_KEY: {error}")
REPLY_TO = env.text("REPLY_TO", "", "Where a reader's reply goes: a person.")
OWNER_EMAIL = env.text(
    "OWNER_EMAIL",
    REPLY_TO or parseaddr(DEFAULT_FROM_EMAIL)[1],
    "Who runs this: told when a source has stalled and the like. Default: REPLY_TO, else the sender's address.",
)
BOUNCE_ADDRESS = env.text(
    "BOUNCE_ADDRESS",
    "",
    "Where bounces of EMAIL_PROVIDER=smtp go: bounce@example.org becomes bounce+<id>@example.org, one for each mail.",
)
if BOUNCE_ADDRESS and not re.fullmatch(r"[\w.\-]{1,30}@[\w.\-]+\.\w+", BOUNCE_ADDRESS, flags=re.ASCII):
    env.wrong(f"BOUNCE_ADDRESS must be a bare address like bounce@example.org, not {BOUNCE_ADDRESS!r}.")
BOUNCE_MAILBOX = env.text(
    "BOUNCE_MAILBOX",
    "",
    "Where they are read from: imaps://user:password@mail.example.org/INBOX, or a folder: maildir:/var/mail/bounce.",
)
POSTAL_ADDRESS = env.text("POSTAL_ADDRESS", "", "The postal address in the footer of every digest.")
LIST_STREAM = env.text(
    "LIST_STREAM",
    "",
    "The stream of the mail service that digests go in, apart from confirmations: Postmark's message stream"
    " (broadcast), or SES's configuration set.",
)
WEBHOOK_SECRET = env.text("WEBHOOK_SECRET", "", "user:password that a mail provider's webhooks must show.")
ANYMAIL: dict[str, Any] = {**env.prefixed("ANYMAIL_"), "REQUESTS_TIMEOUT": 30}
if WEBHOOK_SECRET:
    ANYMAIL["WEBHOOK_SECRET"] = WEBHOOK_SECRET
if PRODUCTION and EMAIL_PROVIDER not in _OWN_BACKENDS and not ANYMAIL.get("WEBHOOK_SECRET"):
    env.wrong("WEBHOOK_SECRET must be set: without it anybody could post bounces and complaints.")

# --- readers --------------------------------------------------------------------------------------
ASK_AGAIN_AFTER_DAYS = max(
    0,
    env.number(
        "ASK_AGAIN_AFTER_DAYS",
        0,
        "After how many days without any sign of life a reader is asked whether they still want this; who does not "
        "answer within 30 days is paused. 0 asks nobody; 365 is once a year.",
    ),
)

# --- sign-ups ------------------------------------------------------------------------------------
TRUSTED_PROXIES = env.networks(
    "TRUSTED_PROXIES",
    "Addresses or networks of your own reverse proxies; only what they say in X-Forwarded-For and X-Forwarded-Proto is "
    "believed.",
)
SIGNUPS_PER_NETWORK = max(
    1,
    env.number(
        "SIGNUPS_PER_NETWORK", 30, "How many sign-ups an hour one address of the internet may ask for (IPv6: one /64)."
    ),
)
SIGNUPS_CALM = max(
    1,
    env.number(
        "SIGNUPS_CALM", 30, "How many sign-ups a minute are ordinary; above that browsers have to prove some work."
    ),
)
CONFIRMATIONS_PER_HOUR = max(
    1, env.number("CONFIRMATIONS_PER_HOUR", 2400, "How many confirmations leave in an hour at most; others wait.")
)
UNPROVEN_CONFIRMATIONS_PER_HOUR = max(
    1,
    env.number(
        "UNPROVEN_CONFIRMATIONS_PER_HOUR",
        360,
        "The same for sign-ups that look hasty, or came without proof of work while it was asked for.",
    ),
)
REFUSED_DOMAINS = frozenset(
    name.lower() for name in env.items("REFUSED_DOMAINS", "More mail domains that nobody may subscribe with.")
)
ACCEPTED_DOMAINS = frozenset(
    name.lower()
    for name in env.items("ACCEPTED_DOMAINS", "Mail domains to accept although they are known as disposable.")
)
SIGNUP_ANSWER_MS = env.number(
    "SIGNUP_ANSWER_MS", 100, "No sign-up is answered sooner, so that the time tells nobody who is subscribed."
)

API_RATE = max(
    1, env.number("API_RATE", 600, "How many requests to the API one address of the internet has in five minutes.")
)

# --- the web --------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# Names that a browser takes from this very host alone, over TLS (RFC 6265bis).
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 2

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else VAR_DIR / "static"
if not PRODUCTION:
    STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- the admin ------------------------------------------------------------------------------------
ADMIN_PATH = env.text("ADMIN_PATH", "admin", "Where the admin is on the site: /admin/, or another path.").strip("/")
if not re.fullmatch(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*", ADMIN_PATH):
    env.wrong(f"ADMIN_PATH must be a path like admin or desk/inside, not {ADMIN_PATH!r}.")
ADMIN_TWO_FACTOR = env.flag(
    "ADMIN_TWO_FACTOR", "Everybody who signs in to the admin must have a second factor; without it each may."
)
SESSION_COOKIE_AGE = 3600 * max(
    1, env.number("ADMIN_SESSION_HOURS", 12, "After how many hours one signs in to the admin again.")
)
SESSION_COOKIE_SAMESITE = "Lax"
OTP_TOTP_ISSUER = SITE_NAME
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_CODE = env.text(
    "NEWSLETTER_LANGUAGE", "en", "The newsletter's own language, for whoever chose none: en or de."
).lower()
if LANGUAGE_CODE not in dict(LANGUAGES):
    env.wrong(f"NEWSLETTER_LANGUAGE is {LANGUAGE_CODE!r}: it must be one of {', '.join(dict(LANGUAGES))}.")
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "config.formats"

LOG_LEVEL = env.text("LOG_LEVEL", "INFO", "How much is logged: DEBUG, INFO, WARNING or ERROR.").upper()
LOG_FORMAT = env.text(
    "LOG_FORMAT", "json" if PRODUCTION else "lines", "How it is written: lines, for people, or json, for machines."
)
if LOG_FORMAT not in {"lines", "json"}:
    env.wrong(f"LOG_FORMAT is {LOG_FORMAT!r}: it must be lines or json.")
METRICS_TOKEN = env.text(
    "METRICS_TOKEN",
    "",
    "What Prometheus must show as a bearer token to read /metrics; without it there is no such page.",
)
SENTRY_DSN = env.text(
    "SENTRY_DSN", "", "Where faults of the program are told to: a project of Sentry's, or of what speaks as it does."
)
# The address holds a key, so it is not shown.
if SENTRY_DSN and not re.fullmatch(r"https?://[^@/\s]+@[^@/\s]+/(?:[^@\s]+/)?\d+", SENTRY_DSN):
    env.wrong("SENTRY_DSN must be like https://key@sentry.example.org/7.")
if SENTRY_DSN and not find_spec("sentry_sdk"):
    env.wrong("SENTRY_DSN needs Sentry's client: pip install sentry-sdk.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # Both leave out tokens and addresses: whoever holds a reader's link acts as that reader.
    "formatters": {"lines": {"()": "config.logs.Lines"}, "json": {"()": "config.logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        # Scanners ask for other names all day: each is answered 400, and is a line of its request already.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

if PRODUCTION:
    for _problem in problems(
        secrets=_keys,
        former_keys=SECRET_KEY_FALLBACKS,
        passwords={"WEBHOOK_SECRET": ANYMAIL.get("WEBHOOK_SECRET", ""), "METRICS_TOKEN": METRICS_TOKEN},
        postal_address=POSTAL_ADDRESS,
    ):
        env.wrong(_problem)
env.end()
