"""A whole digest through every mail service we name, over HTTP to a local server that answers as the service does: what
arrives there is for one reader, in both forms, can be left with one click, and bears nothing but an opaque id."""

import base64
import email
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email import policy
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.core.mail import get_connection
from pytest_django import Settings

from config import settings as project
from mailer.handoff import Accepted, NoAnswer, Refused, TryLater, hand_off
from mailer.messages import Message
from tests.mails.samples import digest_message, notice_message
from tests.servers import Received, Reply, json_reply, serve
from tests.smtp import smtp_server

READER = "ada@reader.example.net"
DOMAIN = "papers.example.org"
URL = re.compile(r"<https://papers\.example\.org/unsubscribe/1[\w.\-]+/>")


@dataclass
class Taken:
    """What a service was asked to send, whatever its API calls it."""

    to: list[str]
    sender: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    metadata: dict[str, Any] = field(default_factory=dict)
    stream: str = ""


@dataclass(frozen=True)
class Api:
    """How one service is reached, answers, and is read."""

    route: str
    answer: Reply
    read: Callable[[Received], Taken]
    settings: dict[str, Any]
    backend: str = ""


def body(request: Received) -> Any:
    return json.loads(request.body)


def read_postmark(request: Received) -> Taken:
    data = body(request)
    headers = {header["Name"]: header["Value"] for header in data["Headers"]}
    stream = data.get("MessageStream", "")
    return Taken(
        [data["To"]],
        data["From"],
        data["Subject"],
        data["TextBody"],
        data["HtmlBody"],
        headers,
        data["Metadata"],
        stream,
    )


def read_mailgun(request: Received) -> Taken:
    kind = request.headers["Content-Type"]
    if kind.startswith("multipart"):
        whole = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body, policy=policy.HTTP)
        data = {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True).decode()
            for part in whole.iter_parts()
        }
    else:
        data = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    headers = {name[2:]: value for name, value in data.items() if name.startswith("h:")}
    metadata = {name[2:]: value for name, value in data.items() if name.startswith("v:")}
    return Taken([data["to"]], data["from"], data["subject"], data["text"], data["html"], headers, metadata)


def read_resend(request: Received) -> Taken:
    data = body(request)
    metadata = json.loads(data["headers"].pop("X-Metadata"))
    return Taken(data["to"], data["from"], data["subject"], data["text"], data["html"], data["headers"], metadata)


def read_brevo(request: Received) -> Taken:
    data = body(request)
    metadata = json.loads(data["headers"].pop("X-Mailin-custom"))
    to = [recipient["email"] for recipient in data["to"]]
    sender = data["sender"]["email"]
    return Taken(to, sender, data["subject"], data["textContent"], data["htmlContent"], data["headers"], metadata)


def read_mailersend(request: Received) -> Taken:
    data = body(request)
    headers = {header["name"]: header["value"] for header in data["headers"]}
    to = [recipient["email"] for recipient in data["to"]]
    return Taken(to, data["from"]["email"], data["subject"], data["text"], data["html"], headers)


def read_mailjet(request: Received) -> Taken:
    whole = body(request)
    (message,) = whole["Messages"]
    data = {**whole.get("Globals", {}), **message}
    metadata = json.loads(data["EventPayload"])
    to = [recipient["Email"] for recipient in data["To"]]
    sender = data["From"]["Email"]
    return Taken(to, sender, data["Subject"], data["TextPart"], data["HTMLPart"], data["Headers"], metadata)


def read_mailtrap(request: Received) -> Taken:
    data = body(request)
    to = [recipient["email"] for recipient in data["to"]]
    sender, metadata = data["from"]["email"], data["custom_variables"]
    return Taken(to, sender, data["subject"], data["text"], data["html"], data["headers"], metadata)


def read_sparkpost(request: Received) -> Taken:
    data = body(request)
    content = data["content"]
    to = [recipient["address"]["email"] for recipient in data["recipients"]]
    texts = (content["from"], content["subject"], content["text"], content["html"])
    return Taken(to, *map(str, texts), content["headers"], data["metadata"])


def read_ses(request: Received) -> Taken:
    data = body(request)
    taken = read_source(base64.b64decode(data["Content"]["Raw"]["Data"]))
    taken.to = data["Destination"]["ToAddresses"]
    taken.metadata = json.loads(taken.headers.pop("X-Metadata"))
    taken.stream = data.get("ConfigurationSetName", "")
    return taken


def read_source(source: bytes) -> Taken:
    message = email.message_from_bytes(source, policy=policy.default)
    parts = {part.get_content_type(): part.get_content() for part in message.iter_parts()}
    headers = {name: str(value).strip() for name, value in message.items()}
    return Taken([headers["To"]], headers["From"], headers["Subject"], parts["text/plain"], parts["text/html"], headers)


ACCEPTED = Reply(status=202, headers={"X-Message-Id": "m1", "Content-Type": "text/html"})
APIS = {
    "postmark": Api(
        "POST /email",
        json_reply({"ErrorCode": 0, "Message": "OK", "MessageID": "m1", "To": READER}),
        read_postmark,
        {"POSTMARK_SERVER_TOKEN": "made-up", "POSTMARK_API_URL": "/"},
    ),
    "mailgun": Api(
        f"POST /v3/{DOMAIN}/messages",
        json_reply({"id": "m1", "message": "Queued."}),
        read_mailgun,
        {"MAILGUN_API_KEY": "made-up", "MAILGUN_API_URL": "/v3"},
    ),
    "resend": Api(
        "POST /emails",
        json_reply({"id": "m1"}),
        read_resend,
        {"RESEND_API_KEY": "made-up", "RESEND_API_URL": "/"},
    ),
    "brevo": Api(
        "POST /v3/smtp/email",
        json_reply({"messageId": "m1"}, status=201),
        read_brevo,
        {"BREVO_API_KEY": "made-up", "BREVO_API_URL": "/v3/"},
    ),
    "mailersend": Api(
        "POST /v1/email",
        ACCEPTED,
        read_mailersend,
        {"MAILERSEND_API_TOKEN": "made-up", "MAILERSEND_API_URL": "/v1/"},
    ),
    "mailjet": Api(
        "POST /v3.1/send",
        json_reply({"Messages": [{"Status": "success", "To": [{"Email": READER, "MessageID": "m1"}]}]}),
        read_mailjet,
        {"MAILJET_API_KEY": "made-up", "MAILJET_SECRET_KEY": "made-up", "MAILJET_API_URL": "/v3.1/"},
    ),
    "mailtrap": Api(
        "POST /api/send",
        json_reply({"success": True, "message_ids": ["m1"]}),
        read_mailtrap,
        {"MAILTRAP_API_TOKEN": "made-up", "MAILTRAP_API_URL": "/api/"},
    ),
    "sparkpost": Api(
        "POST /api/v1/transmissions/",
        json_reply({"results": {"total_accepted_recipients": 1, "total_rejected_recipients": 0, "id": "m1"}}),
        read_sparkpost,
        {"SPARKPOST_API_KEY": "made-up", "SPARKPOST_API_URL": "/api/v1/"},
    ),
    "ses": Api(
        "POST /v2/email/outbound-emails",
        json_reply({"MessageId": "m1"}),
        read_ses,
        {
            "AMAZON_SES_CLIENT_PARAMS": {
                "endpoint_url": "/",
                "region_name": "eu-west-1",
                "aws_access_key_id": "made-up",
                "aws_secret_access_key": "made-up",
            }
        },
        backend="amazon_ses",
    ),
}


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.SITE_URL, settings.MAIL_DOMAIN = "https://papers.example.org", DOMAIN
    settings.DEFAULT_FROM_EMAIL = f"Daily Papers <mail@{DOMAIN}>"
    settings.POSTAL_ADDRESS = "1 Example Street"


def use(settings: Settings, provider: str, url: Callable[[str], str]) -> None:
    """Point the settings at the local server, as the environment would point them at the service."""
    api = APIS[provider]
    settings.EMAIL_PROVIDER = provider
    known = project._BETTERED_BACKENDS
    settings.EMAIL_BACKEND = known.get(provider, f"anymail.backends.{api.backend or provider}.EmailBackend")
    settings.ANYMAIL = {"REQUESTS_TIMEOUT": 5, **_with_address(api.settings, url)}


def _with_address(values: dict[str, Any], url: Callable[[str], str]) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found[name] = _with_address(value, url)
        else:
            found[name] = url(value) if str(value).startswith("/") else value
    return found


def send(settings: Settings, provider: str, make: Callable[[], Message], reply: Reply | None = None) -> Any:
    """Hand over what `make` gives. Returns the outcome, what the service was asked, and the message."""
    with serve({APIS[provider].route: reply or APIS[provider].answer}) as server:
        use(settings, provider, server.url)
        message = make()
        outcome = hand_off(message, connection=get_connection())
        requests = list(server.requests)
    assert len(requests) == 1, [request.path for request in requests]
    return outcome, APIS[provider].read(requests[0]), message


@pytest.mark.parametrize("provider", APIS)
def test_a_digest_arrives_whole_for_one_reader(settings: Settings, provider: str):
    outcome, taken, message = send(settings, provider, digest_message)
    assert isinstance(outcome, Accepted)
    assert outcome.message_id == "m1"
    assert taken.to == [READER]
    assert f"mail@{DOMAIN}" in taken.sender
    assert taken.subject == message.subject
    assert taken.text.replace("\r\n", "\n").strip() == message.body.strip()
    assert taken.html.replace("\r\n", "\n").strip() == message.alternatives[0].content.strip()


@pytest.mark.parametrize("provider", APIS)
def test_a_digest_can_be_left_with_one_click(settings: Settings, provider: str):
    _, taken, _ = send(settings, provider, digest_message)
    assert URL.fullmatch(taken.headers["List-Unsubscribe"])
    assert taken.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert taken.headers["Auto-Submitted"] == "auto-generated"
    (feedback,) = [value for name, value in taken.headers.items() if name.lower() == "feedback-id"]
    assert feedback == "daily:digest:mail:dailypapers"


@pytest.mark.parametrize("provider", [name for name in APIS if name != "mailersend"])
def test_nothing_but_an_opaque_id_rides_along(settings: Settings, provider: str):
    _, taken, _ = send(settings, provider, digest_message)
    assert taken.metadata == {"outgoing_id": "f" * 32}


def test_mailersend_has_no_metadata_and_is_sent_none(settings: Settings):
    with serve({APIS["mailersend"].route: ACCEPTED}) as server:
        use(settings, "mailersend", server.url)
        hand_off(digest_message(), connection=get_connection())
        assert b"outgoing_id" not in server.requests[0].body


@pytest.mark.parametrize("provider", APIS)
def test_confirmations_are_no_list_mail_anywhere(settings: Settings, provider: str):
    outcome, taken, _ = send(settings, provider, lambda: notice_message("confirmation"))
    assert isinstance(outcome, Accepted)
    assert not [name for name in taken.headers if name.lower().startswith(("list-", "feedback-"))]


def test_mailjet_gets_none_of_the_headers_it_refuses(settings: Settings):
    _, taken, _ = send(settings, "mailjet", digest_message)
    assert not {"date", "message-id", "list-id"} & {name.lower() for name in taken.headers}


@pytest.mark.parametrize("provider", [name for name in APIS if name != "mailjet"])
def test_the_list_is_named_where_the_service_lets_us(settings: Settings, provider: str):
    _, taken, _ = send(settings, provider, digest_message)
    (name,) = [value for name, value in taken.headers.items() if name.lower() == "list-id"]
    assert name.endswith(f"<daily.{DOMAIN}>")


@pytest.mark.parametrize("provider", ["postmark", "ses"])
def test_digests_go_in_a_stream_of_their_own_and_confirmations_do_not(settings: Settings, provider: str):
    settings.LIST_STREAM = "broadcast"
    _, digest, _ = send(settings, provider, digest_message)
    _, confirmation, _ = send(settings, provider, lambda: notice_message("confirmation"))
    assert (digest.stream, confirmation.stream) == ("broadcast", "")


@pytest.mark.parametrize("provider", [name for name in APIS if name != "ses"])
def test_a_refusal_is_a_refusal(settings: Settings, provider: str):
    outcome, _, _ = send(settings, provider, digest_message, json_reply({"message": "no"}, status=422))
    assert isinstance(outcome, Refused)


def amazon_error(code: str, status: int) -> Reply:
    return Reply(
        status=status,
        headers={"Content-Type": "application/json", "x-amzn-ErrorType": code},
        body=json.dumps({"message": "no"}),
    )


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("MessageRejected", 400, Refused),
        ("BadRequestException", 400, Refused),
        ("TooManyRequestsException", 429, TryLater),
        ("ThrottlingException", 400, TryLater),
        ("LimitExceededException", 400, TryLater),
        ("AccountSuspendedException", 400, TryLater),
        ("SendingPausedException", 400, TryLater),
        ("MailFromDomainNotVerifiedException", 400, TryLater),
        ("UnrecognizedClientException", 403, TryLater),
        ("InternalFailure", 500, TryLater),
        ("ServiceUnavailable", 503, TryLater),
    ],
)
def test_what_amazon_says_no_with_is_asked_once_and_understood(
    settings: Settings, code: str, status: int, outcome: type
):
    # `send` holds it against a single request.
    said, _, _ = send(settings, "ses", digest_message, amazon_error(code, status))
    assert isinstance(said, outcome)
    if status == 429 or code == "ThrottlingException":
        assert said.wait_seconds == 60


def test_where_amazon_does_not_answer_the_mail_is_not_sent_again(settings: Settings):
    # Their client would ask four times more.
    said, _, _ = send(settings, "ses", digest_message, Reply(raw=[b""]))
    assert isinstance(said, NoAnswer)


def test_where_amazon_cannot_be_reached_nothing_has_left(settings: Settings):
    with serve({}) as server:
        use(settings, "ses", server.url)
    said = hand_off(digest_message(), connection=get_connection())
    assert said == TryLater("The mail service could not be reached.")


def test_all_connections_to_amazon_share_one_client(settings: Settings):
    with serve({APIS["ses"].route: APIS["ses"].answer}) as server:
        use(settings, "ses", server.url)
        one, other = get_connection(), get_connection()
        one.open()
        other.open()
        assert one.client is other.client
        one.close()
        assert isinstance(hand_off(digest_message(), connection=other), Accepted)


def test_over_smtp_the_same_arrives(settings: Settings):
    settings.EMAIL_PROVIDER, settings.EMAIL_BACKEND = "smtp", "mailer.smtp.EmailBackend"
    with smtp_server() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
        message = digest_message()
        assert isinstance(hand_off(message, connection=get_connection()), Accepted)
    taken = read_source(server.mails[0].source)
    assert server.mails[0].recipients == taken.to == [READER]
    assert taken.html.replace("\r\n", "\n").strip() == message.alternatives[0].content.strip()
    assert URL.fullmatch(taken.headers["List-Unsubscribe"])
    assert taken.headers["Message-ID"] == f"<{'f' * 32}@{DOMAIN}>"
    assert "outgoing_id" not in server.mails[0].source.decode()
