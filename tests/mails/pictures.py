"""The pictures of mails in the documentation: python -m tests.mails.pictures

A digest at the widths of a small phone, a phone and a tablet, light and dark; one from right to left; a week; and a
notice. They are PNG files of well below 300 KB.
"""

import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django

django.setup()

from django.conf import settings
from playwright.sync_api import sync_playwright

from tests.find_browser import WHAT_TO_DO, find_browser
from tests.mails.samples import make_mail

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "mails"
WIDTHS, SCHEMES, HEIGHT = (320, 375, 800), ("light", "dark"), 1100
SHOTS = [
    *(("digest", width, scheme) for width in WIDTHS for scheme in SCHEMES),
    ("digest_rtl", 375, "light"),
    ("digest_de", 375, "light"),
    ("digest_weekly", 375, "light"),
    ("confirmation", 375, "light"),
    ("confirmation", 375, "dark"),
]
LARGEST = 300 * 1024


def main() -> int:
    """Take them all."""
    browser_path = find_browser()
    if browser_path is None:
        sys.stderr.write(WHAT_TO_DO)
        return 1
    settings.POSTAL_ADDRESS, settings.SITE_URL = "1 Example Street, 12345 Example Town", "https://papers.example.org"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(browser_path), args=["--no-sandbox", "--disable-gpu"])
        for name, width, scheme in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)  # type: ignore[arg-type]
            page.set_content(str(make_mail(name).alternatives[0].content))
            path = FOLDER / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=path)
            page.close()
            assert path.stat().st_size < LARGEST, path
            sys.stdout.write(f"{path.name}\n")
        browser.close()
    # The one that the README shows.
    shutil.copy(FOLDER / "digest-375-light.png", FOLDER.parent / "mail.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
