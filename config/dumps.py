"""The database as one file, consistent while everything runs, and back again, on SQLite and PostgreSQL."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

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


_SCHEMA = "public"

# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def _dump_postgres(path: Path) -> dict[str, int]:
    program = _program("pg_dump")
    # One snapshot for both, so that the counts are of what is dumped.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        counts = _count(cursor, connection.introspection.table_names(cursor))
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={path}"]
        with _password() as env:
            _run([program, *options, *_where()], env=env)
    return counts


def _load_postgres(path: Path, *, then: str) -> None:
    first, script, last = (path.with_name(f"{path.name}.{name}.sql") for name in ("first", "all", "last"))
    options = ["--no-owner", "--no-privileges", f"--file={script}"]
    try:
        with _password() as env:
            _run([_program("pg_restore"), *options, str(path)], env=env)
            # Whatever is there goes, what a newer version made as well: it would be in the way of its own migrations.
            first.write_text(f"DROP SCHEMA {_SCHEMA} CASCADE;\nCREATE SCHEMA {_SCHEMA};\n", encoding="utf-8")
            last.write_text(f"SET search_path = {_SCHEMA};\n{then};\n", encoding="utf-8")
            connection.close()
            psql = [_program("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
            _run([*psql, *_where(), *(f"--file={file}" for file in (first, script, last))], env=env)
    except OSError as error:
        raise DumpError(f"The database could not be put back: {error}") from error
    finally:
        for file in (first, script, last):
            file.unlink(missing_ok=True)


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
def _password() -> Iterator[Mapping[str, str]]:
    """The environment with the password in it: on the command line every process of the machine could read it."""
    password = connection.settings_dict["PASSWORD"]
    yield {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}


def _run(command: list[str], *, env: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise DumpError(f"{Path(command[0]).name}: {lines[0] if lines else f'exit code {done.returncode}'}")
