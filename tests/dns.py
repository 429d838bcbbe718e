"""A name server on the loopback address that answers from a table, over UDP and TCP.

with dns_server({"example.org": {"TXT": ["v=spf1 -all"]}}) as address:
    ...  # address is like 127.0.0.1:41234
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from dnslib import QTYPE, RCODE, RR, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

Zone = Mapping[str, Mapping[str, list[str]]]


class _Table(BaseResolver):  # type: ignore[misc]
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".").lower()
        if name not in self._zone:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        kind = QTYPE[request.q.qtype]
        for value in self._zone[name].get(kind, []):
            if value == "SERVFAIL":
                reply.header.rcode = RCODE.SERVFAIL
            else:
                reply.add_answer(*RR.fromZone(f"{name}. 60 IN {kind} {_written(kind, value)}"))
        return reply


def _written(kind: str, value: str) -> str:
    if kind != "TXT":
        return value
    return " ".join([f'"{value[start : start + 250]}"' for start in range(0, max(len(value), 1), 250)])


@contextlib.contextmanager
def dns_server(zone: Zone, *, port: int = 0) -> Iterator[str]:
    """Run it; yields its address and port. Names that are not in the table do not exist."""
    logger = DNSLogger("-request,-reply,-truncated,-error", logf=lambda _: None)
    udp = DNSServer(_Table(zone), address="127.0.0.1", port=port, logger=logger)
    chosen = udp.server.server_address[1]
    tcp = DNSServer(_Table(zone), address="127.0.0.1", port=chosen, tcp=True, logger=logger)
    servers = [udp.server, tcp.server]
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield f"127.0.0.1:{chosen}"
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
