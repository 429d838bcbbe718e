"""Hosts of a make-believe network: network namespaces, each with a link of its own to the one in the centre.

The centre is a namespace as well, so that nothing of the machine's own network is touched and nothing gets out. Needs
root and iproute2.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass


class NoNetworkError(Exception):
    """Namespaces cannot be made here; the text says why."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `centre` is the address at which it finds everything, `address` its own."""

    netns: str
    link: str
    centre: str
    address: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What goes before a command that shall run on this host."""
        return ("ip", "netns", "exec", self.netns)

    def cut(self) -> None:
        """Pull the cable."""
        _ip("link", "set", self.link, "down")

    def mend(self) -> None:
        """Put it back."""
        _ip("link", "set", self.link, "up")

    def slow_down(self, *, kilobits: int) -> None:
        """A thin line in both directions."""
        limit = ("tbf", "rate", f"{kilobits}kbit", "burst", "16kb", "latency", "500ms")
        _run("tc", "qdisc", "add", "dev", self.link, "root", *limit)
        _run(*self.inside, "tc", "qdisc", "add", "dev", "eth0", "root", *limit)


def check_network() -> None:
    """Raise NoNetworkError where hosts cannot be made."""
    if os.geteuid() != 0:
        raise NoNetworkError("network namespaces need root")
    for program in ("ip", "tc"):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            msg = f"{program} (iproute2) is not there"
            raise NoNetworkError(msg)
    with centre():
        pass


@contextlib.contextmanager
def centre() -> Iterator[tuple[str, ...]]:
    """A namespace for the centre; yields what goes before a command that shall run in it."""
    name = f"papers-{os.getpid()}"
    try:
        _ip("netns", "add", name)
        try:
            _ip("-n", name, "link", "set", "lo", "up")
            yield ("ip", "netns", "exec", name)
        finally:
            _ip("netns", "del", name)
    except subprocess.CalledProcessError as error:
        msg = f"namespaces cannot be made: {error.stderr.decode(errors='replace').strip()}"
        raise NoNetworkError(msg) from error


@contextlib.contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Hosts linked to the namespace we are in; to be called in the centre."""
    made: list[Host] = []
    try:
        for number in range(count):
            host = Host(f"papers-{os.getpid()}-{number}", f"host{number}", f"10.77.{number}.1", f"10.77.{number}.2")
            _ip("netns", "add", host.netns)
            made.append(host)
            _ip("link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", host.netns)
            _ip("address", "add", f"{host.centre}/24", "dev", host.link)
            _ip("-n", host.netns, "address", "add", f"{host.address}/24", "dev", "eth0")
            _ip("-n", host.netns, "link", "set", "lo", "up")
            _ip("-n", host.netns, "link", "set", "eth0", "up")
            host.mend()
        yield made
    finally:
        for host in made:
            _ip("netns", "del", host.netns)


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    subprocess.run(words, check=True, capture_output=True, timeout=20, env={**os.environ, "PATH": path})
