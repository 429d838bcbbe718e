"""The guard: which addresses may be asked at all, and that the checked address is the one connected to."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from papers.addresses import (
    AddressRefusedError,
    Deadline,
    UnreachableError,
    is_public,
    open_checked_socket,
    parse_web_address,
)

PUBLIC = [
    "8.8.8.8",
    "128.84.21.199",
    "100.63.255.255",
    "172.32.0.1",
    "2606:4700::6810:1",
    "2001:500:88:200::8",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%2",
    "2606:4700::1%2",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]

LOOPBACK_SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
]


def answers(*addresses: str) -> Callable[..., list[Any]]:
    """A resolver that gives these addresses for any name."""

    def getaddrinfo(host: str, port: int, *_args: object, **_options: object) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    return getaddrinfo


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The places that sockets were asked to connect to; nothing leaves the machine."""
    places: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, place: places.append(place), raising=False)
    return places


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_asked(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_of_our_own_network_may_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_every_spelling_of_this_machine_is_refused(host: str, connected: list[Any]) -> None:
    address = parse_web_address(f"http://{host}:8000/feed")
    with pytest.raises(AddressRefusedError, match="not an address on the public internet"):
        open_checked_socket(address, allow=(), deadline=Deadline.in_seconds(2))
    assert connected == []


def test_the_refusal_tells_the_owner_what_to_allow() -> None:
    with pytest.raises(AddressRefusedError, match=r"leads to ::1, .* name \[::1\]:8000 in FETCH_ALLOW") as caught:
        open_checked_socket(parse_web_address("http://[::1]:8000/"), allow=(), deadline=Deadline.in_seconds(2))
    assert caught.value.url == "http://[::1]:8000/"


@pytest.mark.parametrize("allowed", ["localhost:8000", "127.0.0.1:8001", "127.0.0.1", "0.0.0.0:8000", "*"])
def test_only_the_exact_pair_is_exempt(allowed: str, connected: list[Any]) -> None:
    with pytest.raises(AddressRefusedError):
        open_checked_socket(
            parse_web_address("http://127.0.0.1:8000/"), allow={allowed}, deadline=Deadline.in_seconds(2)
        )
    assert connected == []


def test_one_private_address_among_public_ones_refuses_them_all(
    monkeypatch: pytest.MonkeyPatch, connected: list[Any]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answers("8.8.8.8", "10.0.0.5"))
    with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.5"):
        open_checked_socket(parse_web_address("http://mixed.example/"), allow=(), deadline=Deadline.in_seconds(2))
    assert connected == []


def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, connected: list[Any]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answers("2606:4700::1"))
    opened = open_checked_socket(parse_web_address("https://feeds.example/"), allow=(), deadline=Deadline.in_seconds(2))
    opened.close()
    assert connected == [("2606:4700::1", 443, 0, 0)]


def test_a_silent_first_address_leaves_time_for_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def connect(self: socket.socket, place: Any) -> None:
        waited.append(self.gettimeout() or 0)
        if place[0] == "8.8.8.8":
            time.sleep(waited[-1])
            raise TimeoutError

    monkeypatch.setattr(socket, "getaddrinfo", answers("8.8.8.8", "8.8.4.4"))
    monkeypatch.setattr(socket.socket, "connect", connect, raising=False)
    open_checked_socket(parse_web_address("http://two.example/"), allow=(), deadline=Deadline.in_seconds(0.2)).close()
    assert waited == pytest.approx([0.1, 0.1], abs=0.03)


def test_a_name_that_is_not_found_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_options: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnreachableError, match=r"The name nowhere\.example could not be found"):
        open_checked_socket(parse_web_address("http://nowhere.example/"), allow=(), deadline=Deadline.in_seconds(2))


def test_a_look_up_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*_args: object, **_options: object) -> list[Any]:
        release.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    start = time.monotonic()
    with pytest.raises(UnreachableError, match="took too long"):
        open_checked_socket(parse_web_address("http://slow.example/"), allow=(), deadline=Deadline.in_seconds(0.1))
    assert time.monotonic() - start < 1
    release.set()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.org/feed", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("gopher://example.org/", "must begin with http"),
        ("javascript:alert(1)", "must begin with http"),
        ("example.org/feed", "must begin with http"),
        ("//example.org/feed", "must begin with http"),
        ("", "must begin with http"),
        ("http://", "names no host"),
        ("http:///feed", "names no host"),
        ("http://[fe80::1%25eth0]/", "names no host"),
        ("http://exa mple.org/", "not a web address"),
        ("http://example.org\n.evil.example/", "not a web address"),
        ("http://example.org:99999/", "not a web address"),
        ("http://[::1/", "not a web address"),
        ("http://example.org/" + "a" * 4000, "longer than 4000"),
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str, says: str) -> None:
    with pytest.raises(AddressRefusedError, match=says):
        parse_web_address(url)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(AddressRefusedError, match="password") as caught:
        parse_web_address("https://reader:sesame@example.org/feed?x=1")
    assert "sesame" not in str(caught.value)
    assert caught.value.url == "https://example.org/feed?x=1"


def test_an_address_is_taken_apart_once() -> None:
    address = parse_web_address("  HTTP://Feeds.Example.ORG/a b/ü?q=cs.AI+q-bio#part ")
    assert (address.scheme, address.host, address.port) == ("http", "feeds.example.org", 80)
    assert address.target == "/a%20b/%C3%BC?q=cs.AI+q-bio"
    assert address.url == "http://feeds.example.org/a%20b/%C3%BC?q=cs.AI+q-bio"
    assert address.pair == "feeds.example.org:80"
    assert parse_web_address("https://[::FFFF:8.8.8.8]").pair == "[::ffff:8.8.8.8]:443"


def test_a_request_cannot_be_split_by_line_breaks_in_an_address() -> None:
    assert parse_web_address("http://example.org/a\r\nX-Evil: 1").target == "/a%0D%0AX-Evil:%201"
