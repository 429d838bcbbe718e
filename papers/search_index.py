"""The full-text index of papers: what it is made of on each database, and how it stays true.

Triggers keep it: whatever writes a paper (storing, merging, correcting, the admin, a restore) cannot leave it behind,
and it changes in the same transaction. SQLite has an FTS5 table beside the papers
(https://sqlite.org/fts5.html), PostgreSQL a tsvector column with a GIN index
(https://www.postgresql.org/docs/current/textsearch.html); both reduce words to their English stem and fold accents, and
neither leaves out stop words, so phrases are what they say.

FTS5 keeps the words themselves as well: without them a row could only be taken out by saying exactly what it had been
made of, and one that was not would spoil the index and every later change of its paper.

Neither is a model: Django makes SQLite's tables anew to change them, and drops their triggers with them, so `install`
is called after every migration as well.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

# What of a paper is in it. A category becomes one word that nobody types, so that looking by it is looking for a word.
CATEGORY_WORD = "kat"
_CHUNK = 5000

_SQLITE_TABLE = """CREATE VIRTUAL TABLE IF NOT EXISTS papers_search USING fts5(
    title, authors, abstract, marks, tokenize="porter unicode61 remove_diacritics 2")"""
_SQLITE_VALUES = """{row}.id, {row}.title,
    coalesce((SELECT group_concat(value, ' , ') FROM json_each({row}.authors)), ''),
    {row}.abstract,
    coalesce((SELECT group_concat('kat' || lower(replace(replace(replace(value, '.', ''), '-', ''), ' ', '')), ' ')
              FROM json_each({row}.categories)), '')"""
_SQLITE_ADD = "INSERT INTO papers_search (rowid, title, authors, abstract, marks) SELECT {values}"
_SQLITE_TAKE = "DELETE FROM papers_search WHERE rowid = OLD.id"
_SQLITE_TRIGGERS = {
    "papers_search_added": "AFTER INSERT ON papers_paper BEGIN {add_new}; END",
    "papers_search_gone": "AFTER DELETE ON papers_paper BEGIN {take_old}; END",
    # `OF` looks at which columns an UPDATE names, `WHEN` at whether they changed.
    "papers_search_changed": """AFTER UPDATE OF id, title, authors, abstract, categories ON papers_paper
        WHEN (OLD.id, OLD.title, OLD.authors, OLD.abstract, OLD.categories)
            IS NOT (NEW.id, NEW.title, NEW.authors, NEW.abstract, NEW.categories)
        BEGIN {take_old}; {add_new}; END""",
}

# A dictionary of our own, as PostgreSQL's English one leaves out stop words.
_POSTGRES_WORDS = (
    "CREATE TEXT SEARCH DICTIONARY papers_stem (TEMPLATE = snowball, LANGUAGE = english)",
    "CREATE TEXT SEARCH CONFIGURATION papers_words (COPY = simple)",
    """ALTER TEXT SEARCH CONFIGURATION papers_words
        ALTER MAPPING FOR asciiword, word, hword, hword_part, hword_asciipart, asciihword, numword, numhword,
            hword_numpart WITH papers_stem""",
)
# What PostgreSQL's parser would make something of (addresses, paths, signed numbers) is parted at its signs before.
_POSTGRES_FOLD = r"""CREATE OR REPLACE FUNCTION papers_search_fold(said text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $fold$
    SELECT regexp_replace(
        regexp_replace(lower(normalize(said, NFKD)), '[\u0300-\u036f]+', '', 'g'),
        '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u206f\u2190-\u2bff\u3000-\u303f]+',
        ' ', 'g')
    $fold$"""
_POSTGRES_VECTOR = """CREATE OR REPLACE FUNCTION papers_search_vector(
        title text, authors jsonb, abstract text, categories jsonb) RETURNS tsvector
    LANGUAGE sql STABLE PARALLEL SAFE AS $vector$
    SELECT setweight(to_tsvector('papers_words', papers_search_fold(title)), 'A')
        || setweight(to_tsvector('papers_words', coalesce((
            SELECT papers_search_fold(string_agg(name, ' '))
            FROM jsonb_array_elements_text(authors) AS name), '')), 'B')
        || setweight(to_tsvector('papers_words', papers_search_fold(abstract)), 'C')
        || setweight(to_tsvector('papers_words', coalesce((
            SELECT string_agg('kat' || lower(translate(name, '.- ', '')), ' ')
            FROM jsonb_array_elements_text(categories) AS name), '')), 'D')
    $vector$"""
_POSTGRES_TRIGGER = """CREATE OR REPLACE FUNCTION papers_search_keep() RETURNS trigger LANGUAGE plpgsql AS $keep$
    BEGIN
        NEW.search_words := papers_search_vector(NEW.title, NEW.authors, NEW.abstract, NEW.categories);
        RETURN NEW;
    END $keep$"""
_POSTGRES_TRIGGERS = {
    "papers_search_added": "BEFORE INSERT ON papers_paper FOR EACH ROW EXECUTE FUNCTION papers_search_keep()",
    "papers_search_changed": """BEFORE UPDATE OF title, authors, abstract, categories ON papers_paper FOR EACH ROW
        WHEN ((OLD.title, OLD.authors, OLD.abstract, OLD.categories)
            IS DISTINCT FROM (NEW.title, NEW.authors, NEW.abstract, NEW.categories))
        EXECUTE FUNCTION papers_search_keep()""",
}


def install(*, using: str = "default") -> None:
    """Make whatever of the index is missing, but for the words of papers that are there already. Safe twice."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(_SQLITE_TABLE)
            for name, what in _sqlite_triggers().items():
                cursor.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {what}")
        else:
            _install_postgres(cursor, connection)


def is_installed(*, using: str = "default") -> bool:
    """Whether the index was ever made here: before its migration, and after taking that back, it is not."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = 'papers_search'")
        else:
            cursor.execute("SELECT count(*) FROM pg_ts_config WHERE cfgname = 'papers_words'")
        return bool(cursor.fetchone()[0])


def remove(*, using: str = "default") -> None:
    """Take the index out. Papers stay as they are."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for name in _SQLITE_TRIGGERS if connection.vendor == "sqlite" else _POSTGRES_TRIGGERS:
            on_table = "" if connection.vendor == "sqlite" else " ON papers_paper"
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")
        if connection.vendor == "sqlite":
            cursor.execute("DROP TABLE IF EXISTS papers_search")
            return
        cursor.execute("DROP FUNCTION IF EXISTS papers_search_keep()")
        cursor.execute("ALTER TABLE papers_paper DROP COLUMN IF EXISTS search_words")
        cursor.execute("DROP FUNCTION IF EXISTS papers_search_vector(text, jsonb, text, jsonb)")
        cursor.execute("DROP FUNCTION IF EXISTS papers_search_fold(text)")
        cursor.execute("DROP TEXT SEARCH CONFIGURATION IF EXISTS papers_words")
        cursor.execute("DROP TEXT SEARCH DICTIONARY IF EXISTS papers_stem")


def fill(*, using: str = "default", told: Callable[[int], object] = lambda count: None) -> int:
    """Index every paper that is not indexed yet, some thousands at a time. Returns how many those were.

    Safe to stop anywhere and to call again.
    """
    done = 0
    for first, last in _missing(connections[using]):
        with connections[using].cursor() as cursor:
            if connections[using].vendor == "sqlite":
                values = _SQLITE_VALUES.format(row="paper")
                cursor.execute(
                    f"{_SQLITE_ADD.format(values=values)} FROM papers_paper AS paper WHERE paper.id BETWEEN %s AND %s"  # noqa: S608 - words of ours
                    " AND NOT EXISTS (SELECT 1 FROM papers_search_docsize AS held WHERE held.id = paper.id)",
                    [first, last],
                )
            else:
                cursor.execute(
                    "UPDATE papers_paper SET search_words = papers_search_vector(title, authors, abstract, categories)"
                    " WHERE id BETWEEN %s AND %s AND search_words IS NULL",
                    [first, last],
                )
            done += cursor.rowcount
            told(cursor.rowcount)
    return done


def count_missing(*, using: str = "default") -> int:
    """How many papers the index does not hold."""
    with connections[using].cursor() as cursor:
        if connections[using].vendor == "sqlite":
            cursor.execute(
                "SELECT count(*) FROM papers_paper AS paper"
                " WHERE NOT EXISTS (SELECT 1 FROM papers_search_docsize AS held WHERE held.id = paper.id)"
            )
        else:
            cursor.execute("SELECT count(*) FROM papers_paper WHERE search_words IS NULL")
        return int(cursor.fetchone()[0])


def empty(*, using: str = "default") -> None:
    """Forget every word, for `fill` to begin anew."""
    with connections[using].cursor() as cursor:
        if connections[using].vendor == "sqlite":
            cursor.execute("DROP TABLE papers_search")
            cursor.execute(_SQLITE_TABLE)
        else:
            cursor.execute("UPDATE papers_paper SET search_words = NULL")


def category_word(category: str) -> str:
    """`katcscl` for `cs.CL`: how a category stands in the index."""
    return CATEGORY_WORD + category.lower().translate({ord(sign): None for sign in ".- "})


def _missing(connection: BaseDatabaseWrapper) -> Iterator[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM papers_paper")
        lowest, highest = cursor.fetchone()
    for first in range(lowest, highest + 1, _CHUNK):
        yield first, first + _CHUNK - 1


def _sqlite_triggers() -> dict[str, str]:
    add_new = _SQLITE_ADD.format(values=_SQLITE_VALUES.format(row="NEW"))
    return {name: what.format(add_new=add_new, take_old=_SQLITE_TAKE) for name, what in _SQLITE_TRIGGERS.items()}


def _install_postgres(cursor: Any, connection: BaseDatabaseWrapper) -> None:
    cursor.execute("SELECT count(*) FROM pg_ts_config WHERE cfgname = 'papers_words' AND pg_ts_config_is_visible(oid)")
    if not cursor.fetchone()[0]:
        for statement in _POSTGRES_WORDS:
            cursor.execute(statement)
    cursor.execute(_POSTGRES_FOLD)
    cursor.execute(_POSTGRES_VECTOR)
    # Asked for before: even a change that changes nothing waits for every other transaction on the table.
    cursor.execute(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'papers_paper'::regclass AND attname = 'search_words'"
    )
    if not cursor.fetchone()[0]:
        cursor.execute("ALTER TABLE papers_paper ADD COLUMN search_words tsvector")
    cursor.execute(_POSTGRES_TRIGGER)
    for name, what in _POSTGRES_TRIGGERS.items():
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgname = %s AND tgrelid = 'papers_paper'::regclass", [name]
        )
        if not cursor.fetchone()[0]:
            cursor.execute(f"CREATE TRIGGER {name} {what}")
    cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('papers_search_words')")
    found = cursor.fetchone()
    if found and not found[0]:
        # What a build beside others leaves behind that was broken off.
        cursor.execute("DROP INDEX papers_search_words")
    if not found or not found[0]:
        # Built beside whoever writes, which one transaction with other things in it cannot do.
        how = "" if connection.in_atomic_block else "CONCURRENTLY "
        cursor.execute(f"CREATE INDEX {how}papers_search_words ON papers_paper USING gin (search_words)")
