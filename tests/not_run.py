"""A pytest plugin that says loudly which tests did not run, and can insist that they do.

Load it with `-p tests.not_run`. REQUIRE_RUN="worker browser" in the environment makes the session fail unless tests
with each of these markers ran and none of them was skipped.
"""

import os
from collections import Counter
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Skipped:
    """A test that did not run, and why."""

    test: str
    reason: str
    markers: frozenset[str]


class NotRun:
    """Keeps the books of one session."""

    def __init__(self, *, required: tuple[str, ...]) -> None:
        self.required = required
        self.ran: Counter[str] = Counter()
        self.skipped: list[Skipped] = []

    def complaints(self) -> list[str]:
        """One line for each marker whose tests had to run and did not."""
        lines = []
        for marker in self.required:
            skipped = sum(marker in test.markers for test in self.skipped)
            if skipped or not self.ran[marker]:
                lines.append(f"tests marked {marker!r} had to run: {self.ran[marker]} ran, {skipped} did not")
        return lines

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Reports reach the process that was started, from wherever the test ran; a marker is one of their keywords.
        markers = frozenset(report.keywords)
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped.append(Skipped(report.nodeid, reason.removeprefix("Skipped: "), markers))
        elif report.when == "call":
            self.ran.update(markers)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.complaints() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section(f"NOT RUN: {len(self.skipped)} tests", yellow=True, bold=True)
            for reason, count in Counter(test.reason for test in self.skipped).most_common():
                terminalreporter.line(f"{count:5} x {reason}", yellow=True)
        for line in self.complaints():
            terminalreporter.line(f"ERROR: {line}", red=True, bold=True)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # one of several processes: the books are kept where all of them report to
    config.pluginmanager.register(NotRun(required=tuple(os.environ.get("REQUIRE_RUN", "").split())))
