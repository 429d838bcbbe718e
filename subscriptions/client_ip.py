"""Who is at the door: the address a request really came from, and the network that counts as one visitor.

X-Forwarded-For is a list that each proxy appends to, and anybody may begin it. So it is read from its end, and only for
as long as the one who said it is a proxy of our own (`TRUSTED_PROXIES`).
"""

import ipaddress
from collections.abc import Iterable, Mapping

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What one household or server is given in IPv6 (RFC 6177): single addresses there cost nothing.
IPV6_PREFIX = 64
_MOST_HOPS = 20


def client_address(meta: Mapping[str, str], *, trusted: Iterable[Network]) -> Address | None:
    """The address of whoever sent this request, from `request.META`; None where that cannot be known."""
    networks = tuple(trusted)
    found = _parse(meta.get("REMOTE_ADDR", ""))
    hops = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
    for hop in reversed(hops[-_MOST_HOPS:]):
        if found is None or not any(found in network for network in networks):
            break
        # What is no address was put there by whoever stands before our own proxy: nobody can be told apart by it.
        found = _parse(hop)
    return found


def is_trusted_proxy(meta: Mapping[str, str], *, trusted: Iterable[Network]) -> bool:
    """Whether whoever sent this request to us is a proxy of our own."""
    found = _parse(meta.get("REMOTE_ADDR", ""))
    return found is not None and any(found in network for network in trusted)


def visitor_network(address: Address | None) -> str:
    """What counts as one visitor: an IPv4 address, or an IPv6 network of 64 bits.

    Nothing for addresses that are not of the public internet. Where many people seem to come from one of those, it is
    a proxy that nobody named in `TRUSTED_PROXIES`, and a limit for one visitor would shut out everybody.
    """
    if address is None or not address.is_global:
        return ""
    if address.version == 6:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def _parse(text: str) -> Address | None:
    # Some proxies append the port: 192.0.2.1:4711, or [2001:db8::1]:4711.
    plain = text.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
