"""The words of the program in other languages: found, brought up to date and compiled, without GNU gettext.

python -m tests.translations            brings locale/*/LC_MESSAGES/django.po and .mo up to date
python -m tests.translations --check    exit code 1 where something is missing, left over or not compiled

Translations are written by hand in the .po files. The .mo files made of them are kept beside them, so that an
installation needs no compiler of its own.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_python
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

REPOSITORY = Path(__file__).resolve().parents[1]
LOCALE = REPOSITORY / "locale"
PACKAGES = ("config", "digests", "mailer", "papers", "subscriptions")
KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_lazy": None, "ngettext_lazy": (1, 2), "pgettext_lazy": ((1, "c"), 2)}


def find_messages() -> Catalog:
    """Everything that is said through gettext, in Python and in templates."""
    found = Catalog()
    for source in [*_python_sources(), *_template_sources()]:
        for _, function, message, _ in extract_python(io.BytesIO(source.encode()), KEYWORDS, (), {}):
            spec = KEYWORDS[function]
            context = message[0] if spec and isinstance(spec[0], tuple) else None
            words = message[1:] if context else message
            is_plural = spec in {(1, 2), ((1, "c"), 2, 3)}
            given = tuple(words[:2]) if is_plural else words[0] if isinstance(words, tuple) else words
            if given:
                found.add(given, context=context)
    return found


def updated(path: Path, *, language: str) -> Catalog:
    """The translations in this file, with what is new in the sources and without what is no longer said there."""
    found = find_messages()
    with path.open("rb") as file:
        known = read_po(file, locale=language)
    catalog = Catalog(
        locale=language, project="Daily Papers", version="1", header_comment=f"# {language}", msgid_bugs_address="-"
    )
    catalog.fuzzy = False
    catalog.last_translator, catalog.language_team = "Daily Papers", language
    catalog.creation_date = catalog.revision_date = known.creation_date
    for message in found:
        if message.id:
            translated = known.get(message.id, context=message.context)
            catalog.add(message.id, translated.string if translated else None, context=message.context)
    return catalog


def untranslated(catalog: Catalog) -> list[str]:
    """What has no words in this language yet."""
    return [
        str(message.id)
        for message in catalog
        if message.id and not all(message.string if isinstance(message.string, tuple) else (message.string,))
    ]


def as_po(catalog: Catalog) -> bytes:
    """The file for people."""
    out = io.BytesIO()
    write_po(out, catalog, width=0, sort_output=True, no_location=True)
    return out.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    """The file for the program."""
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def words_of(mo: bytes) -> dict[tuple[str | None, str], str]:
    """What a compiled file says, whatever wrote it."""
    return {
        (message.context, str(message.id)): str(message.string) for message in read_mo(io.BytesIO(mo)) if message.id
    }


def languages() -> Iterator[tuple[str, Path]]:
    """Each language there is a file for."""
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/django.po")):
        yield path.parts[-3], path


def problems() -> list[str]:
    """What is wrong with the files as they are."""
    found = []
    for language, path in languages():
        catalog = updated(path, language=language)
        found += [f"{language}: no words for {text}" for text in untranslated(catalog)]
        # The header names the program that wrote it.
        if as_po(catalog).partition(b"\n\n")[2] != path.read_bytes().partition(b"\n\n")[2]:
            found.append(f"{path.relative_to(REPOSITORY)} is not up to date: python -m tests.translations")
        if words_of(path.with_suffix(".mo").read_bytes()) != words_of(as_mo(catalog)):
            found.append(f"{path.relative_to(REPOSITORY)} is not compiled: python -m tests.translations")
    return found


def main() -> int:
    """Bring the files up to date, or say what is wrong with them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        found = problems()
        sys.stdout.write("".join([f"{problem}\n" for problem in found]))
        return bool(found)
    for language, path in languages():
        catalog = updated(path, language=language)
        path.write_bytes(as_po(catalog))
        path.with_suffix(".mo").write_bytes(as_mo(catalog))
        missing = untranslated(catalog)
        sys.stdout.write(f"{language}: {len(catalog)} texts, {len(missing)} without words\n")
        sys.stdout.write("".join([f"    {text}\n" for text in missing]))
    return 0


def _python_sources() -> Iterator[str]:
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            if "gettext" in (text := path.read_text()):
                yield text


def _template_sources() -> Iterator[str]:
    from django.utils.translation.template import templatize

    for path in sorted((REPOSITORY / "templates").rglob("*.*")):
        if "load i18n" in (text := path.read_text()):
            yield templatize(text, origin=str(path))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.exit(main())
