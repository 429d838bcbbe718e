"""Asking the DNS, and telling «there is none» from «nobody answered»."""

from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.resolver
import dns.reversename

SECONDS = 5.0


class NoAnswerError(OSError):
    """No name server answered, so nothing is known."""


@dataclass(frozen=True, slots=True)
class Mx:
    """A server that takes mail for a domain; one named «.» says that none does (RFC 7505)."""

    preference: int
    host: str


class Records:
    """Records by name, each asked for once."""

    def __init__(self, *, resolver: str = "") -> None:
        """`resolver` is a name server's address, with a port where it is not 53; by default the system's own."""
        try:
            self._resolver = dns.resolver.Resolver(configure=not resolver)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.resolver.Resolver(configure=False)
        if resolver:
            host, _, port = resolver.rpartition(":") if resolver.count(":") == 1 else (resolver, "", "53")
            self._resolver.nameservers = [host]
            self._resolver.port = int(port)
        self._resolver.lifetime = SECONDS
        self._known: dict[tuple[str, str], Sequence[object]] = {}

    def texts(self, name: str) -> list[str]:
        """The TXT records, each with its strings joined. Raises NoAnswerError."""
        return [
            b"".join(record.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
            for record in self._ask(name, "TXT")
        ]

    def mail_servers(self, name: str) -> list[Mx]:
        """Who takes mail for this domain, the most wanted first. Raises NoAnswerError."""
        found = [
            Mx(record.preference, str(record.exchange))  # type: ignore[attr-defined]
            for record in self._ask(name, "MX")
        ]
        return sorted(found, key=lambda mx: mx.preference)

    def addresses(self, name: str) -> list[str]:
        """IPv4 and IPv6 addresses. Raises NoAnswerError."""
        return [str(record) for kind in ("A", "AAAA") for record in self._ask(name, kind)]

    def names_of(self, address: str) -> list[str]:
        """What an address is called, without the last dot. Raises NoAnswerError."""
        name = dns.reversename.from_address(address).to_text()
        return [str(record).rstrip(".") for record in self._ask(name, "PTR")]

    def _ask(self, name: str, kind: str) -> Sequence[object]:
        key = (name.rstrip("."), kind)
        if key not in self._known:
            try:
                self._known[key] = list(self._resolver.resolve(f"{key[0]}.", kind))
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                self._known[key] = []
            except dns.exception.DNSException as error:
                raise NoAnswerError(f"The DNS did not answer for {key[0]} ({error.__class__.__name__}).") from error
        return self._known[key]
