"""The pictures of docs/gallery.md: a page of `usearch query --html` in Chromium, as it comes.

usearch demo
cd usearch-demo
usearch query -q sky -q "a cat" -q wheel --each --per-image 2 -k 4 --html page.html
python ../examples/gallery_pictures.py page.html ../docs
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright


def main(html: Path, folder: Path) -> None:
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 840})
        page.goto(html.absolute().as_uri())
        save(page, folder / "gallery.jpg")
        page.emulate_media(color_scheme="dark")
        page.locator(".open").nth(1).click()
        save(page, folder / "gallery-large.jpg")
        browser.close()


def save(page: Page, path: Path) -> None:
    page.wait_for_timeout(800)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(path, quality=84, optimize=True, progressive=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
