"""The database as one file, consistent while everything runs, and back again, on SQLite and PostgreSQL."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from django.db import connection, transaction


class DumpError(RuntimeError):
    """It could not be written or read back; the message says why, without any secret."""


def dump(path: Path) -> dict[str, int]:
    """Write the database into this file, whose folder is there. Returns how many rows each table had at that very
    instant. Raises DumpError."""
    return _dump_sqlite(path) if connection.vendor == "sqlite" else _dump_postgres(path)


def load(path: Path, *, then: str) -> None:
    """Put what this file holds in the place of the whole database, and run `then`, a statement, in the same
    transaction: nobody ever sees the one without the other. Raises DumpError, with the database as it was."""
    if connection.vendor == "sqlite":
        _load_sqlite(path, then=then)
    else:
        _load_postgres(path, then=then)
    connection.close()


def count_rows() -> dict[str, int]:
    """How many rows each table of ours has."""
    with connection.cursor() as cursor:
        return _count(cursor, connection.introspection.table_names(cursor))


def _count(cursor: Any, tables: list[str]) -> dict[str, int]:
    counts = {}
    for table in sorted(tables):
        # What full-text search keeps of its own follows from the papers.
        if not table.startswith(("papers_search", "sqlite_")):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            counts[table] = int(cursor.fetchone()[0])
    return counts


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _dump_sqlite(path: Path) -> dict[str, int]:
    try:
        with closing(sqlite3.connect(_file())) as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
            (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
            if verdict != "ok":
                raise DumpError(f"The copy is damaged: {verdict}")
            copy.execute("PRAGMA journal_mode=DELETE")
            tables = [name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return _count(copy.cursor(), tables)
    except (sqlite3.Error, OSError) as error:
        raise DumpError(f"The database could not be copied: {error}") from error


def _load_sqlite(path: Path, *, then: str) -> None:
    made = path.with_name(f"{path.name}.made-ready")
    try:
        shutil.copyfile(path, made)
        with closing(sqlite3.connect(made)) as ready:
            (verdict,) = ready.execute("PRAGMA integrity_check").fetchone()
            if verdict != "ok":
                raise DumpError(f"The backup is damaged: {verdict}")
            ready.execute(then)
            ready.commit()
            ready.execute("PRAGMA journal_mode=DELETE")
        connection.close()
        # All pages in one step: other processes see the old database or the new one.
        with closing(sqlite3.connect(made)) as ready, closing(sqlite3.connect(_file(), timeout=30)) as live:
            ready.backup(live, pages=-1)
    except (sqlite3.Error, OSError) as error:
        raise DumpError(f"The database could not be put back: {error}") from error
    finally:
        made.unlink(missing_ok=True)


def _file() -> str:
    return str(connection.settings_dict["NAME"])


# --- PostgreSQL -------------------------------------------------------------------------------------------------------

# What goes between PostgreSQL's programs and a file goes through us, so that they end when we do, however we end: a
# pipe without anybody at its other end stops them at the next octet.

_SCHEMA = "public"
# Behind somebody who holds a table: everybody else waits behind us, and with us gone nobody would end that.
_LOCK_MILLISECONDS = 60_000


def _dump_postgres(path: Path) -> dict[str, int]:
    program = _program("pg_dump")
    # One snapshot for both, so that the counts are of what is dumped.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        counts = _count(cursor, connection.introspection.table_names(cursor))
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--lock-wait-timeout={_LOCK_MILLISECONDS}"]
        with path.open("wb") as written, _running([program, *options, f"--snapshot={snapshot}", *_where()]) as dumping:
            shutil.copyfileobj(_out(dumping), written)
    return counts


def _load_postgres(path: Path, *, then: str) -> None:
    restore = [_program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(path)]
    load = [_program("psql"), "--no-psqlrc", "--quiet", f"--output={os.devnull}"]
    load += ["--set=ON_ERROR_STOP=1", *_where()]
    # Whatever is there goes, what a newer version made as well: it would be in the way of its own migrations.
    first = (
        f"BEGIN;\nSET lock_timeout = {_LOCK_MILLISECONDS};\nDROP SCHEMA {_SCHEMA} CASCADE;\nCREATE SCHEMA {_SCHEMA};\n"
    )
    last = f"SET search_path = {_SCHEMA};\n{then};\nCOMMIT;\n"
    connection.close()
    try:
        with _running(load) as loading:
            into = _in(loading)
            into.write(first.encode())
            with _running(restore) as reading:
                shutil.copyfileobj(_out(reading), into)
            # Said last, and by us alone: what ends before it, whoever was killed, is undone by the server.
            into.write(last.encode())
    except OSError as error:
        raise DumpError(f"The database could not be put back: {error}") from error


def _out(program: "subprocess.Popen[bytes]") -> IO[bytes]:
    return cast("IO[bytes]", program.stdout)


def _in(program: "subprocess.Popen[bytes]") -> IO[bytes]:
    return cast("IO[bytes]", program.stdin)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise DumpError(f"{name} is not here: install PostgreSQL's client programs (on Debian: postgresql-client).")
    return found


def _where() -> list[str]:
    settings = connection.settings_dict
    parts = {"--host": settings["HOST"], "--port": settings["PORT"], "--username": settings["USER"]}
    return [*(f"{name}={value}" for name, value in parts.items() if value), f"--dbname={settings['NAME']}"]


@contextmanager
def _running(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """This program until the end of the block, where it gets the end of its input and is waited for. Raises DumpError
    where it failed, in its own words; where the block fails, it is killed."""
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(  # noqa: S603 - ours
            command, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
        ) as program:
            try:
                yield program
                _in(program).close()
            except BaseException as error:
                if not (isinstance(error, BrokenPipeError) and _has_failed(program)):
                    program.kill()
                    raise
            finally:
                with suppress(BrokenPipeError):
                    _in(program).close()
        if program.returncode:
            said.seek(0)
            lines = [line for line in said.read().decode(errors="replace").splitlines() if line.strip()]
            raise DumpError(f"{Path(command[0]).name}: {lines[0] if lines else f'exit code {program.returncode}'}")


def _has_failed(program: "subprocess.Popen[bytes]") -> bool:
    """Whether it was this one that went away. It is about to be gone when its pipe is."""
    try:
        return program.wait(timeout=1) != 0
    except subprocess.TimeoutExpired:
        return False


def _environment() -> dict[str, str]:
    """With the password in it: on the command line every process of the machine could read it."""
    password = connection.settings_dict["PASSWORD"]
    return {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
