"""The pictures in docs/pictures/site: python -m tests.site.pictures

The site of `make run` with the bundled sample, at the widths of a phone, a tablet and a desktop, as JPEG of 1,000 rows.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.find_browser import find_browser
from tests.journeys.people import FLAGS, REPOSITORY, running_site

FOLDER = REPOSITORY / "docs" / "pictures" / "site"
SIZES = {"phone": (375, 800, "light"), "tablet": (768, 1000, "dark"), "desktop": (1280, 900, "light")}


def main() -> int:
    """Take them all anew."""
    browser = find_browser()
    if browser is None:
        sys.stderr.write("There is no Chromium here.\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_site(Path(folder)) as site, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(browser), args=FLAGS)
        for size, (width, height, scheme) in SIZES.items():
            context = chromium.new_context(
                base_url=site.url,
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()
            page.goto("/")
            paper = str(page.locator("h3 a").first.get_attribute("href"))
            pages = {"day": "/", "paper": paper, "trending": "/papers/trending", "search": "/search?q=reasoning"}
            for name, path in {**pages, "archive": "/archive", "status": "/status"}.items():
                page.goto(path)
                page.screenshot(path=FOLDER / f"{name}-{size}.jpg", type="jpeg", quality=70)
            context.close()
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
