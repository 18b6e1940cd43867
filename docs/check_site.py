"""Opens every page of the built site in a browser, and says what is wrong with it.

    python docs/check_site.py [FOLDER] [--screenshots FOLDER] [--only NAME ...]

Every page loads without errors in the console; no internal link is dead; pictures have alternative
text; no page is wider than a phone; no title leaves its card; and the search finds what the guide
is to be found by. Without Chromium it says so and checks the links and pictures alone, unless the
environment has DOCS_CHECK_REQUIRED set: then that is an error.
"""

import argparse
import base64
import os
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from devtools import browser, find_browser

PHONE, DESK = 390, 1280
SEARCHES = ["anomaly detection", "text classification", "early stopping", "GPU"]
# Elements that reach beyond the page, but for those inside a box that scrolls by itself.
TOO_WIDE = """(() => {
  const wide = document.documentElement.scrollWidth;
  if (wide <= innerWidth) return "";
  const names = [...document.querySelectorAll("main *")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.tagName.toLowerCase() + "." + e.className).slice(0, 3);
  return wide + " pixels wide: " + names.join(", ");
})()"""
OUT_OF_CARD = """(() => [...document.querySelectorAll(".sphx-glr-thumbcontainer, .sd-card")]
  .filter(card => {
    const box = card.getBoundingClientRect();
    return [...card.querySelectorAll(".sphx-glr-thumbnail-title, .sd-card-title")].some(title => {
      const range = document.createRange();
      range.selectNodeContents(title);
      const text = range.getBoundingClientRect();
      return text.width && (text.bottom > box.bottom + 1 || text.right > box.right + 1);
    });
  }).map(card => card.textContent.trim().slice(0, 40)))()"""
FOUND = """new Promise(done => {
  const started = Date.now();
  const look = () => {
    const links = [...document.querySelectorAll("#search-results li a")].map(a => a.href);
    if (links.some(a => a.includes("/guide/")) || Date.now() - started > 20000) done(links);
    else setTimeout(look, 200);
  };
  look();
})"""


class Reader(HTMLParser):
    """What a page links to, what can be linked to in it, and its pictures without words."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.silent = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag in ("a", "link") and given.get("href"):
            self.links.add(given["href"])
        if tag in ("img", "script") and given.get("src"):
            self.links.add(given["src"])
        if tag == "img" and not (given.get("alt") or "").strip():
            self.silent.append(given.get("src", ""))


def pages_of(site):
    """The files of all pages, without the templates of the theme."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def check_files(site):
    """Dead links and pictures without alternative text, page by page."""
    pages = {path: Reader(path.read_text()) for path in pages_of(site)}
    for path, page in pages.items():
        for link in sorted(page.links):
            if urlparse(link).scheme or link.startswith("//"):
                continue
            address, anchor = urldefrag(urljoin(path.as_uri(), link))
            anchor = anchor.partition(":~:")[0]  # what follows is a text to be marked
            target = Path(unquote(urlparse(address).path))
            if not target.exists():
                yield path, f"dead link: {link}"
            elif anchor and target in pages and unquote(anchor) not in pages[target].anchors:
                yield path, f"dead anchor: {link}"
        for source in page.silent:
            yield path, f"picture without alternative text: {source}"


class Server(SimpleHTTPRequestHandler):
    """Serves the site without a word."""

    def log_message(self, *args):
        """Say nothing."""


def check_pages(page, address, paths, screenshots):
    """What the browser sees: console, widths, cards."""
    for path in paths:
        page.resize(DESK)
        page.go(f"{address}/{path}")
        # Other servers, such as those of badges, are not what is checked.
        for said in page.complaints:
            if "http" not in said or address in said:
                yield path, f"console: {said}"
        for width in (DESK, PHONE):
            page.resize(width)
            if wide := page.run(TOO_WIDE):
                yield path, f"at {width}: {wide}"
            for title in page.run(OUT_OF_CARD) or []:
                yield path, f"at {width}: title leaves its card: {title}"
            if screenshots:
                shot = page.call(
                    "Page.captureScreenshot", format="png", captureBeyondViewport=False
                )
                name = f"{str(path).replace('/', '_').removesuffix('.html')}_{width}.png"
                (screenshots / name).write_bytes(base64.b64decode(shot["data"]))


def check_search(page, address):
    """What is searched for is found in the guide."""
    page.resize(DESK)
    for words in SEARCHES:
        page.go(f"{address}/search.html?q={words.replace(' ', '+')}")
        found = page.run(FOUND) or []
        if not any("/guide/" in link for link in found):
            yield "search.html", f"the search for {words!r} finds nothing in the guide"


def main():
    """Check the site, print what is wrong, and end with 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", nargs="?", default="docs/_build/html", type=Path)
    parser.add_argument("--screenshots", type=Path, help="a folder for pictures of every page")
    parser.add_argument(
        "--only", nargs="*", help="check pages that have one of these in their name"
    )
    options = parser.parse_args()
    site = options.site.resolve()
    if not (site / "index.html").exists():
        sys.exit(f"{site} holds no site: run `make docs` first.")
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    wrong = []

    def tell(path, said):
        wrong.append(path)
        print(f"{path}: {said}", flush=True)

    for path, said in check_files(site):
        tell(path.relative_to(site), said)
    paths = [str(path.relative_to(site)) for path in pages_of(site)]
    # Listings of source code are made by Sphinx alone, hundreds of them in one pattern.
    paths = [p for p in paths if not p.startswith("_modules/") and p != "search.html"]
    if options.only:
        paths = [p for p in paths if any(name in p for name in options.only)]
    program = find_browser()
    if program is None:
        said = "no Chromium found: pages were not opened, links and pictures alone were checked"
        if os.environ.get("DOCS_CHECK_REQUIRED"):
            tell("-", said)
        else:
            print(f"SKIPPED: {said}. Debian and Ubuntu: apt-get install chromium")
    else:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(site)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with browser(program) as page:
            for fault in check_pages(page, address, paths, options.screenshots):
                tell(*fault)
            for fault in check_search(page, address):
                tell(*fault)
        server.shutdown()
    opened = len(paths) if program else 0
    print(f"{opened} pages opened, {len(SEARCHES) if program else 0} searches, {len(wrong)} faults")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
