"""From a web address to an open socket, and nowhere else: the guard of every fetch.

A feed's address is typed by an owner, but a redirect or a name server can turn it into the database next door or a
cloud's metadata service. So a host is looked up once, every address found must be on the public internet, and the
connection goes to exactly the address that was checked: a second look-up, which could answer otherwise (DNS
rebinding), never happens. The rules for addresses are IANA's special-purpose registries (RFC 6890 and its updates),
written down here because `ipaddress.is_global` of older Pythons knows only some of them.

The errors of the way to the server are here; those of its answer are in `papers.fetching`.
"""

import queue
import socket
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NoReturn

import urllib3
from urllib3.util import parse_url

MAX_ADDRESS_LENGTH = 4_000
DEFAULT_PORTS = {"http": 80, "https": 443}
# A name may have any number of addresses. More than this many are not tried, so that each gets a fair share of time.
MAX_CONNECT_ATTEMPTS = 6

NOT_PUBLIC_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network, 0.0.0.0 is this machine
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, also some clouds' metadata
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, most clouds' metadata
        "168.63.129.16/32",  # public by number, but on Azure it is the machine's own host
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, also one cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, retired
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
NOT_PUBLIC_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
SIX_TO_FOUR = IPv6Network("2002::/16")
NAT64 = IPv6Network("64:ff9b::/96")

# As the socket module has it: address and port, and for IPv6 flow and scope.
SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class FetchError(Exception):
    """Nothing usable came from an address. `str()` is a sentence for the owner; `url` is the address it is about."""

    def __init__(self, sentence: str, *, url: str = "") -> None:
        super().__init__(sentence)
        self.url = url


class UnreachableError(FetchError):
    """No server answered: the name is unknown, the connection failed, or it took too long. Worth another try later."""


class AddressRefusedError(FetchError):
    """We do not fetch this address, now or later: it is no plain web address, or it is not on the public internet."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant on the monotonic clock until which something may take."""

    ends_at: float

    @classmethod
    def in_seconds(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def seconds_left(self) -> float:
        """Seconds until then, never below zero."""
        return max(0.0, self.ends_at - time.monotonic())

    def is_over(self) -> bool:
        return time.monotonic() >= self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """The parts of an http(s) address, taken apart once, so that what is checked is what is asked."""

    scheme: str
    host: str  # lower case, IDNA; an IPv6 address without brackets
    port: int
    target: str  # path and query, ready for the request line
    url: str  # the whole, without fragment

    @property
    def pair(self) -> str:
        """`host:port`, as the setting FETCH_ALLOW names it; an IPv6 host stands in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_web_address(url: str) -> WebAddress:
    """Take `url` apart, or refuse it.

    Raises AddressRefusedError for anything but http and https, for a user name or password in it (they would end up
    in logs and on pages), and for what is no address at all. The sentence never repeats a password.
    """
    text = url.strip()
    if len(text) > MAX_ADDRESS_LENGTH:
        sentence = f"This web address is longer than {MAX_ADDRESS_LENGTH} characters."
        raise AddressRefusedError(sentence)
    try:
        parts = parse_url(text)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise AddressRefusedError("This is not a web address.") from error
    scheme = (parts.scheme or "").lower()
    if scheme not in DEFAULT_PORTS:
        raise AddressRefusedError("A source's address must begin with http:// or https://.")
    if not parts.host or "%" in parts.host:
        raise AddressRefusedError("This web address names no host that we could ask.")
    location = f"{scheme}://{parts.netloc}{parts.request_uri}"
    if parts.auth is not None:
        raise AddressRefusedError("A web address with a user name or password in it is not fetched.", url=location)
    return WebAddress(
        scheme=scheme,
        host=parts.host.strip("[]").lower(),
        port=DEFAULT_PORTS[scheme] if parts.port is None else parts.port,
        target=parts.request_uri,
        url=location,
    )


def is_public(address: str) -> bool:
    """Whether a numeric address is on the public internet, so that asking it cannot reach our own network.

    An IPv4 address wrapped into IPv6 (mapped, 6to4, NAT64's well-known prefix) is judged by the address inside. A
    network's own NAT64 prefix cannot be told from ordinary addresses.
    """
    if "%" in address:  # a scope, which only addresses of this very network have
        return False
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return _is_public_v4(parsed)
    inside = _wrapped_v4(parsed)
    if inside is not None:
        return _is_public_v4(inside)
    return parsed in GLOBAL_UNICAST_V6 and not any(parsed in block for block in NOT_PUBLIC_V6)


def open_checked_socket(address: WebAddress, *, allow: Collection[str], deadline: Deadline) -> socket.socket:
    """A TCP connection to `address`, made only to addresses that passed the guard.

    The name is looked up once. If any answer is not public, all are refused: no honest public name has a private
    address among its own. `allow` holds the exact `host:port` pairs exempt from that one rule. The look-up and all
    attempts together end by `deadline`.

    Raises AddressRefusedError or UnreachableError.
    """
    found = _look_up(address, deadline)
    if address.pair not in {pair.lower() for pair in allow}:
        for _, (numeric, *_rest) in found:
            if not is_public(str(numeric)):
                _refuse(address, str(numeric))
    return _connect_to_first(address, found[:MAX_CONNECT_ATTEMPTS], deadline)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in block for block in NOT_PUBLIC_V4)


def _wrapped_v4(address: IPv6Address) -> IPv4Address | None:
    if address in SIX_TO_FOUR:
        return address.sixtofour
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def _refuse(address: WebAddress, numeric: str) -> NoReturn:
    sentence = (
        f"{address.host} leads to {numeric}, which is not an address on the public internet. "
        f"If you run this source yourself, name {address.pair} in FETCH_ALLOW."
    )
    raise AddressRefusedError(sentence, url=address.url)


def _look_up(address: WebAddress, deadline: Deadline) -> list[tuple[int, SocketAddress]]:
    """Ask the system's resolver, which knows no time limit: so it is asked in a thread that we may leave behind."""
    answers: queue.SimpleQueue[list[tuple[int, SocketAddress]] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
            answers.put([(int(family), place) for family, _, _, _, place in found])
        except (OSError, ValueError) as error:  # ValueError: a label too long or empty
            answers.put(error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.seconds_left())
    except queue.Empty:
        sentence = f"Looking up the name {address.host} took too long."
        raise UnreachableError(sentence, url=address.url) from None
    if isinstance(answer, Exception) or not answer:
        cause = answer if isinstance(answer, Exception) else None
        sentence = f"The name {address.host} could not be found."
        raise UnreachableError(sentence, url=address.url) from cause
    return answer


def _connect_to_first(
    address: WebAddress, places: list[tuple[int, SocketAddress]], deadline: Deadline
) -> socket.socket:
    """Try each address in the resolver's order; a silent one may use only its share of the time that is left."""
    failure: OSError = TimeoutError("timed out")
    for index, (family, place) in enumerate(places):
        share = deadline.seconds_left() / (len(places) - index)
        if share <= 0:
            break
        try:
            return _connect(family, place, share)
        except OSError as error:
            failure = error
    reason = "it did not answer in time" if isinstance(failure, TimeoutError) else _reason(failure)
    sentence = f"No connection to {address.pair} could be made: {reason}."
    raise UnreachableError(sentence, url=address.url) from failure


def _connect(family: int, place: SocketAddress, seconds: float) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(seconds)
        opened.connect(place)
    except BaseException:
        opened.close()
        raise
    return opened


def _reason(error: OSError) -> str:
    return (error.strerror or "the network refused it").rstrip(".").lower()
