"""Look for what is wider than its page: `python tests/docs/overflow.py BROWSER SITE`, in headless Chromium.

A page may never scroll sideways at any width. On the pages for beginners no code does either, at the
width of a laptop. Run by `nox -s site`.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTHS = (1400, 900, 400)
CODE_FITS_AT = 1400
CODE_FITS_ON = ("index.html", "install.html", "quick-start/")
AT_ONCE = 6
PATIENCE_MS = 120_000
"""Of the browser's own clock, which runs ahead while nothing happens."""
PAGE = """<!doctype html><meta charset="utf-8"><body><script>
const found = []
const ask = ({page, name, width, code}) => new Promise(done => {
  const frame = document.createElement("iframe")
  frame.style = `border: 0; height: 900px; width: ${width}px`
  frame.onload = () => setTimeout(() => {
    const root = frame.contentDocument.documentElement
    const say = what => found.push(`${name} at ${width} px: ${what}`)
    if (root.scrollWidth > root.clientWidth) say(`the page is ${root.scrollWidth} px wide`)
    if (code) for (const block of frame.contentDocument.querySelectorAll("pre > code"))
      if (block.scrollWidth > block.clientWidth) say(`code scrolls: ${block.textContent.trim().slice(0, 60)}`)
    frame.remove()
    done()
  }, 50)
  frame.src = page
  document.body.append(frame)
})
const jobs = JOBS
let looked = 0
const work = async () => { while (jobs.length) { await ask(jobs.shift()); looked++ } }
Promise.all(Array.from({length: AT_ONCE}, work)).then(() => {
  const result = document.createElement("pre")
  result.id = "result"
  result.textContent = JSON.stringify({looked, found})
  document.body.append(result)
})
</script>"""


def main(browser: str, site: Path) -> list[str]:
    """The report's lines; more than one if something is wrong."""
    names = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    jobs = [
        {
            "page": (site / name).as_uri(),
            "name": name,
            "width": width,
            "code": width == CODE_FITS_AT and name.startswith(CODE_FITS_ON),
        }
        for name in names
        for width in WIDTHS
    ]
    looked, found = look(browser, jobs)
    if looked < len(jobs):
        found.append("Some views were not looked at.")
    return [f"{looked} of {len(jobs)} views looked at.", *found]


def look(browser: str, jobs: list[dict[str, object]]) -> tuple[int, list[str]]:
    """How many views were looked at, and what is too wide."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "views.html")
        text = PAGE.replace("JOBS", json.dumps(jobs)).replace("AT_ONCE", str(AT_ONCE))
        page.write_text(text, encoding="utf-8")
        # Pages from disk may be looked into; no sandbox, as it needs rights that containers lack.
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
        ]
        options += [f"--user-data-dir={folder}/profile", f"--virtual-time-budget={PATIENCE_MS}"]
        command = [browser, *options, "--window-size=1500,1000", "--dump-dom", page.as_uri()]
        dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = re.search(r'<pre id="result">(.*?)</pre>', dumped, re.DOTALL)
    if result is None:
        return 0, ["The browser gave no result."]
    answer = json.loads(html.unescape(result[1]))
    return answer["looked"], answer["found"]


if __name__ == "__main__":
    report = main(sys.argv[1], Path(sys.argv[2]).resolve())
    sys.stdout.write("\n".join([*report, ""]))
    sys.exit(len(report) > 1)
