"""The fault matrix as data, and as the table in `docs/faults.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Row:
    """One fault."""

    id: str
    """Letter of the group and number."""
    fault: str
    """What goes wrong."""
    llama_index: str
    """What LlamaIndex did when it was last measured."""
    langchain: str
    """What LangChain did."""
    ours: str
    """What embedbridge does."""
    elsewhere: tuple[str, ...] = ()
    """Tests outside this folder that prove it: paths from the root, `::`, names."""


@dataclass(slots=True)
class Found:
    """What a run of the tests found about a row."""

    collected: int = 0
    """Checks, each route for itself."""
    tests: Counter[str] = field(default_factory=Counter)
    """Their functions."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How they ended: passed, failed or skipped."""


Book: TypeAlias = dict[str, Found]
"""By row."""

GROUPS = {
    "H": "HTTP: the server or the network fails",
    "R": "Wrong answers that can be parsed",
    "T": "Texts",
    "I": "Images",
    "C": "The cache on disk",
    "P": "Processes and concurrency",
}
DISK = "shared/embedbridge-core/tests/cache/test_disk_cache.py"
LOCAL = "shared/embedbridge-core/tests/engine/test_local_driver.py"
LOOP = "shared/embedbridge-core/tests/remote/test_loop.py"
BULK = "packages/embedbridge-bulk/tests"
HUGGINGFACE = "packages/embedbridge-huggingface/tests"

MANY = "22 requests in about 100 s"
RAW = "a bare JSON error, not retried"
NONE = "has no images"
AS_TEXT = "its name is embedded as a text"
LATE = "`ValueError` after 8 s"
BOMB = (
    "shared/embedbridge-core/tests/images/test_decode_hostile.py::test_a_bomb_costs_almost_no_memory",
)
SHIFTED = "every vector one place too early"

ROWS = [
    Row("H01", "429 with `Retry-After`, for ever", "66 requests, 65 s", "3 requests", "3 requests; pauses as the header says"),
    Row("H02", "429 with a date", "22 requests, 90 s", "3 requests", "waits for that second; an hour away fails at once"),
    Row("H03", "429, come back in an hour", "sleeps 2 minutes, asks again", "fails at once", "fails within 1 s, with `retry_at`"),
    Row("H04", "quota exhausted", "22 requests, 97 s", "3 requests", "1 request; `QuotaExhaustedError`"),
    Row("H05", "500", MANY, "3 requests", "3 requests; `ProviderUnavailableError`"),
    Row("H06", "502, 503", MANY, "3 requests", "3 requests; `ProviderUnavailableError`"),
    Row("H07", "400", "1 request", "1 request", "halves are tried, 5 requests for 3 inputs; the error names them"),
    Row("H08", "401 that repeats the key", "key in the exception", "key in the exception", "the key is nowhere in the error, its chain or traceback"),
    Row("H09", "reset before the answer", MANY, "3 requests", "3 requests; `ProviderUnavailableError`"),
    Row("H10", "reset within the body", MANY, "3 requests", "3 requests; `ProviderUnavailableError`"),
    Row("H11", "JSON cut off", RAW, RAW, "3 requests; `InvalidResponseError`"),
    Row("H12", "a login page with status 200", "`AttributeError`", "`AttributeError`", "`InvalidResponseError` that names the content type"),
    Row("H13", "empty body", RAW, RAW, "3 requests; `InvalidResponseError`"),
    Row("H14", "status 200 with an error inside", "`ValueError`", "`ValueError`", "`InvalidResponseError` with the server's words"),
    Row("H15", "silence", "11 minutes (read in its source)", "no limit", "ends with `deadline`, and hangs up"),
    Row("H16", "a byte now and then", "waits, whatever `timeout` says", "waits, whatever `timeout` says", "ends with `deadline` or `timeout`"),
    Row("H17", "200 KB that unpack to 200 MB", "+402 MB", "+403 MB", "refused at 64 MiB"),
    Row("H18", "redirect to another host", "not measured", "not measured", "not followed; the other host hears nothing"),
    Row("H19", "429, 500 or a reset, once", "2 requests", "2 requests", "2 requests; the right vectors"),
    Row("H20", "the tokenizer's file cannot be fetched", "does not apply", "the default path fails", "nothing but the server is asked"),
    Row("R01", "another order, right numbers", "wrong", "wrong", "repaired by number"),
    Row("R02", "first vector missing", SHIFTED, SHIFTED, "`InvalidResponseError`"),
    Row("R03", "first missing, the others renumbered", SHIFTED, SHIFTED, "`InvalidResponseError`, by count"),
    Row("R04", "last vector missing", "a short list", "a short list", "`InvalidResponseError`"),
    Row("R05", "one vector too many", "a long list", "a long list, or ignored", "`InvalidResponseError`"),
    Row("R06", "numbers twice", "unseen", "unseen", "`InvalidResponseError`"),
    Row("R07", "numbers twice, wrong order", "wrong", "wrong", "`InvalidResponseError`"),
    Row("R08", "one vector narrower", "handed on", "handed on, or cut to the shorter", "`InvalidResponseError`"),
    Row("R09", "all vectors narrower", "handed on", "handed on", "`InvalidResponseError`; the catalogue, `dimensions` or the first answer says the width"),
    Row("R10", "NaN", "handed on", "handed on", "`InvalidResponseError` for that input; the others are kept"),
    Row("R11", "infinity", "handed on", "handed on", "`InvalidResponseError` for that input; the others are kept"),
    Row("R12", "all zeros", "handed on", "handed on", 'a warning, or `InvalidResponseError` with `on_zero_vector="error"`'),
    Row("R13", "base64 cut off", "`ValueError`", "`ValueError`, or a string as vector", "`InvalidResponseError`"),
    Row("R14", "foreign characters beside base64", "skipped in silence", "skipped, or a string as vector", "`InvalidResponseError`"),
    Row("R15", "foreign characters within base64", "a narrower vector", "narrower, or a string as vector", "`InvalidResponseError`"),
    Row("R16", "floats and base64 side by side", "right", "right, or a string as vector", "right"),
    Row("R17", "`null` as vector", "an error from telemetry", "`None`, or the vector of the empty text", "`InvalidResponseError`"),
    Row("R18", "empty vector", "handed on", "handed on", "`InvalidResponseError`"),
    Row("R19", "numbers in quotes", "an error by luck", "handed on", "`InvalidResponseError`"),
    Row("R20", "no vectors at all", "`ValueError`", "`ValueError`, or an empty list", "`InvalidResponseError`"),
    Row("R21", "`null` instead of a list", "`ValueError`", "`ValueError`, or an empty list", "`InvalidResponseError`"),
    Row("T01", "no text", "0 requests", "0 requests", "0 requests"),
    Row("T02", "the empty text", "sent", "sent", "error with its position; 0 requests"),
    Row("T03", "the empty text among others", "sent", "a request more, which fails the batch", "error with its position; 0 requests"),
    Row("T04", "white space", "sent", "sent", "error with its position; 0 requests"),
    Row("T05", "half a character (lone surrogate)", "`UnicodeEncodeError` for all", "`UnicodeEncodeError` for all", "error with its position; 0 requests"),
    Row("T06", "NUL", "sent", "sent", "sent; the right vector"),
    Row("T07", "a text of 1 MB", "sent whole", "sent whole, or in 15 pieces", "cut once and reported, or refused by position"),
    Row("T08", "`None`, numbers, bytes", "8 s of retries (local)", "`null` is sent", "error with its position; 0 requests"),
    Row("T09", "a bare text instead of a list", "each letter is embedded", "not measured", "error; 0 requests"),
    Row("T10", "a generator", "`TypeError`", "`TypeError`", "the right vectors"),
    Row("T11", "ten equal texts", "10 paid", "10 paid", "1 paid"),
    Row("T12", "memory of a large result", "10 × the values", "not measured", "4 bytes per value, as an array"),
    Row("I01", "a PNG, JPEG, WebP or BMP by its path", "right", NONE, "right"),
    Row("I02", "a TIFF by its path", AS_TEXT, NONE, "right"),
    Row("I03", "a file whose name says nothing", AS_TEXT, NONE, "right: its content counts"),
    Row("I04", "a file that is missing", AS_TEXT, NONE, "`ImageNotFoundError`, which is a `FileNotFoundError`"),
    Row("I05", "a `Path`", LATE, NONE, "right"),
    Row("I06", "bytes", LATE, NONE, "right"),
    Row("I07", "a `BytesIO`", LATE, NONE, "right"),
    Row("I08", "a data URL", "right", NONE, "right"),
    Row("I09", "bad base64", "a message of 1.6 MB", NONE, "error of one line"),
    Row("I10", "`DATA:` in capitals", AS_TEXT, NONE, "right"),
    Row("I11", "`file://`", AS_TEXT, NONE, "error; nothing is opened"),
    Row("I12", "`ftp://`", AS_TEXT, NONE, "error; nothing is opened"),
    Row("I13", "`http://…/image?id=1`", AS_TEXT, NONE, "fetched once if it is allowed, else error"),
    Row("I14", "404", "tries to decode the page", NONE, "error with the status"),
    Row("I15", "a JPEG cut off", "an error after 8 s", NONE, "error with its position and path, at once"),
    Row("I16", "a PNG cut off", "an error after 8 s", NONE, "error with its position and path, at once"),
    Row("I17", "an empty file", "an error after 8 s", NONE, "error with its position and path, at once"),
    Row("I18", "a text named `.png`", "an error after 8 s", NONE, "error with its position and path, at once"),
    Row("I19", "an animated GIF", "its first frame", NONE, "its first frame"),
    Row("I20", "CMYK", "right", NONE, "right"),
    Row("I21", "16 bits", "99.6 % of the pixels white", NONE, "scaled to 8 bits"),
    Row("I22", "a palette", "right", NONE, "right"),
    Row("I23", "alpha 0", "what is hidden is embedded", NONE, "white, by every route"),
    Row("I24", "held on its side (EXIF)", "lies there, if from Pillow", NONE, "upright, by every route"),
    Row("I25", "0 × 0", "`ZeroDivisionError` after 8 s", NONE, "error with its position"),
    Row("I26", "1 × 1, 5000 × 1", "right", NONE, "right; `min_image_side` can refuse them"),
    Row("I27", "SVG", AS_TEXT, NONE, "error that names the format"),
    Row("I28", "EPS named `.png`", "starts Ghostscript", NONE, "error that names the format; nothing is started"),
    Row("I29", "HEIC", AS_TEXT, NONE, "error that names the format"),
    Row("I30", "88 megapixels in 11 KB", "+1.17 GB", NONE, "refused by its header", BOMB),
    Row("I31", "169 megapixels in 21 KB", "+2.25 GB", NONE, "refused by its header", BOMB),
    Row("I32", "one bad image of many", "the batch is lost", NONE, 'with `errors="collect"` the others are embedded'),
    Row("I33", "a text that is a URL", "fetched", NONE, "a text; no socket"),
    Row("I34", "a text that is a path", "read", NONE, "a text; no file"),
    Row("I35", "a URL of this machine that redirects", "fetched twice, when it is named", NONE, "not asked"),
    Row("C01", "the same text, another model", "wrong width", "wrong width", "another entry"),
    Row("C02", "query and document", "mixed", "mixed", "other entries"),
    Row("C03", "another width, prompt, option", "mixed", "mixed", "another entry"),
    Row("C04", "`kill -9` while writing", "15 of 15 files unreadable", "files are not written atomically", "nothing acknowledged is lost", (f"{DISK}::test_kill_9_loses_nothing_that_was_acknowledged", f"{DISK}::test_200_kills_lose_nothing_that_was_acknowledged")),
    Row("C05", "disk full", "the old file destroyed", "partial entry, vectors lost", "the vectors, one warning"),
    Row("C06", "two writers", "half the keys lost", "last write per file", "nothing lost", (f"{DISK}::test_eight_processes_write_at_once",)),
    Row("C07", "folder cannot be written", "does not apply", "fails after paying", "the vectors, one warning"),
    Row("C08", "file empty or cut", "unreadable", "fails for ever", "a miss, one warning at most"),
    Row("C09", "a flipped byte", "undetected", "undetected, unless the JSON breaks", "a miss", (f"{DISK}::test_flipped_bytes_never_give_a_wrong_vector",)),
    Row("C10", "short answer", "error after a part was kept", "`None` as vector", "error; nothing kept"),
    Row("C11", "shifted answer", "kept for ever", "kept for ever", "error; nothing kept"),
    Row("C12", "equal texts in a batch", "10 paid", "10 paid", "1 paid"),
    Row("C13", "a surrogate in the key", "does not apply", "`UnicodeEncodeError`", "error with its position"),
    Row("C14", "hostile bytes in the file", "harmless (JSON)", "harmless (JSON)", "harmless: no pickle; a miss"),
    Row("P01", "fork with a live client", "22 of 360 wrong", "16 of 360 wrong", "0 of 360 wrong, in each package"),
    Row("P02", "fork after a local model was used", "hangs with 2 threads", "hangs with 2 threads", "the right vectors, from each local provider"),
    Row("P03", "one object, several `asyncio.run`", "the second of three fails", "the second of three fails", "all work"),
    Row("P04", "cancelling", "stops", "stops", "stops, and hangs up", (f"{LOOP}::test_ctrl_c_in_a_waiting_caller_ends_its_request",)),
    Row("P05", "one request fails beside others", "10 more requests, 7–33 tasks left", "stops", "0 requests, 0 tasks left"),
    Row("P06", "requests in flight", "no limit", "1", "8, or what is set, never more"),
    Row("P07", "one local model, many threads", "right", "right", "right", (f"{LOCAL}::test_many_threads_get_what_one_would", f"{HUGGINGFACE}/test_tokens.py::test_counting_from_many_threads", f"{HUGGINGFACE}/test_loading.py::test_many_threads_load_it_once")),
    Row("P08", "worker processes stay behind", "3 processes", "not measured", "none stays", (f"{HUGGINGFACE}/test_devices.py::test_close_stops_the_workers", f"{HUGGINGFACE}/test_devices.py::test_forgetting_a_pool_stops_it")),
    Row("P09", "a failure late in a job", "all vectors lost", "all vectors lost", "the finished ones are on the error"),
    Row("P10", "an error that cannot pass", "tried 3 times, 8 s", "not measured", "tried once"),
    Row("P11", "`kill -9` in a bulk job", "nothing to resume", "nothing to resume", "every row once; at most a batch per worker is paid again", (f"{BULK}/test_kill.py::test_a_kill_loses_no_row_and_pays_at_most_a_batch_again", f"{BULK}/engines/test_ray_kill.py::test_a_kill_loses_no_row_and_pays_at_most_a_batch_of_each_actor_again")),
    Row("P12", "memory", "see T12", "see T12", "see T12"),
]  # fmt: skip

NOT_RUN = {
    "T12 in LlamaIndex and LangChain": "They hand out lists of floats, which is their own format.",
    "P04, sync": "A sync call can only be interrupted: the test named there does it with Ctrl-C.",
}
"""What is not run, and why."""

HEAD = """\
# The fault matrix

Each row is one fault between a text or an image and its vector. The columns say what LlamaIndex and
LangChain do today with their own classes, and what embedbridge does: used directly (core), inside
LlamaIndex and inside LangChain, sync and async.

*Today* was measured in November 2026 with llama-index-core 0.14.25, langchain-core 1.7.2 and
openai 3.54.0, on one machine with a local server. A check is one test; most rows are tested on six
routes. ✓ means that all checks of a row passed, ✗ that some failed: this gap is still open.
The tests in `tests/faults` write this page, and each run compares it with its results:

    EMBEDBRIDGE_WRITE_DOCS=1 pytest tests/faults
"""


def render(book: Mapping[str, Found]) -> str:
    """The page, as a run of the tests found it."""
    parts = [HEAD]
    for letter, title in GROUPS.items():
        parts.append(f"\n## {letter}: {title}\n")
        parts.append(
            "| | fault | LlamaIndex today | LangChain today | embedbridge | checks | proven by |"
        )
        parts.append("|---|---|---|---|---|---|---|")
        group = [row for row in ROWS if row.id.startswith(letter)]
        parts += [_line(row, book.get(row.id, Found())) for row in group]
    parts.append("\n## What is not run\n")
    parts += [f"- {name}: {reason}" for name, reason in NOT_RUN.items()]
    return "\n".join([*parts, ""])


def _line(row: Row, found: Found) -> str:
    names = [f"`{name}`" for name in sorted(found.tests)]
    names += [f"`{name.rpartition('/')[2]}`" for name in row.elsewhere]
    cells = [row.id, row.fault, row.llama_index, row.langchain, row.ours]
    cells += [_outcome(row, found), "<br>".join(names) or "–"]
    return f"| {' | '.join(cells)} |"


def _outcome(row: Row, found: Found) -> str:
    if not found.collected:
        return "elsewhere" if row.elsewhere else "not run"
    passed = found.outcomes["passed"]
    return f"{passed} of {found.collected}" + (" ✓" if passed == found.collected else " ✗")
