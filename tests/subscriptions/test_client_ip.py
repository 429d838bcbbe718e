"""Who is at the door: nobody is believed about it but our own proxies."""

import ipaddress

import pytest

from subscriptions.client_ip import client_address, visitor_network

PROXIES = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1/32")))


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        # Nobody told us to believe this one.
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.2", "203.0.113.9", "203.0.113.9"),
        # What stands before the first proxy of ours is anybody's invention.
        ("10.0.0.2", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "1.1.1.1, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
        ("2001:db8:1::5", "2001:db8:ffff::1", "2001:db8:ffff::1"),
        ("10.0.0.2", "[2001:db8:ffff::1]:4711", "2001:db8:ffff::1"),
        ("10.0.0.2", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.2", "::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "", None),
        ("10.0.0.2", "unknown", None),
        ("10.0.0.2", "203.0.113.9, <script>", None),
        ("", "203.0.113.9", None),
        ("10.0.0.2", ", ".join(["10.0.0.3"] * 500), "10.0.0.3"),
    ],
)
def test_the_last_address_that_no_proxy_of_ours_has_is_the_visitor(remote: str, forwarded: str, expected: str | None):
    meta = {"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}
    found = client_address(meta, trusted=PROXIES)
    assert (str(found) if found else None) == expected


def test_without_proxies_the_header_is_never_read():
    meta = {"REMOTE_ADDR": "10.0.0.2", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert str(client_address(meta, trusted=())) == "10.0.0.2"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("8.8.4.4", "8.8.4.4"),
        ("2a00:1450:4001:81b::200e", "2a00:1450:4001:81b::/64"),
        ("2a00:1450:4001:81b:ffff:ffff:ffff:ffff", "2a00:1450:4001:81b::/64"),
        ("127.0.0.1", ""),
        ("172.18.0.1", ""),
        ("::1", ""),
        ("fe80::1", ""),
    ],
)
def test_a_visitor_is_one_address_or_one_network_of_64_bits_of_the_public_internet(address: str, network: str):
    assert visitor_network(ipaddress.ip_address(address)) == network


def test_nobody_known_is_no_visitor():
    assert visitor_network(None) == ""
