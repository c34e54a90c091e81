"""Faults by their row of the project's fault matrix: H for HTTP, R for answers that are wrong."""

from collections.abc import Mapping
from types import MappingProxyType

from embedbridge.testing.faults.answers import (
    cut_base64,
    duplicate_index,
    empty_vector,
    first_missing,
    foreign_for_base64,
    foreign_in_base64,
    infinite,
    last_missing,
    mixed_encodings,
    no_rows,
    not_a_number,
    null_rows,
    null_vector,
    one_extra,
    shuffled,
    vector_of_strings,
    wrong_width,
    zeros,
)
from embedbridge.testing.faults.exchange import Fault
from embedbridge.testing.faults.transport import (
    captive_portal,
    dripping,
    empty_body,
    error_with_200,
    gzip_bomb,
    key_refused,
    quota_exhausted,
    rate_limited,
    reset_before,
    reset_mid_body,
    silent,
    status,
    truncated_json,
)

ROWS: Mapping[str, Fault] = MappingProxyType(
    {
        "H01": rate_limited(retry_after="1"),
        "H03": rate_limited(retry_after="3600"),
        "H04": quota_exhausted(),
        "H05": status(500),
        "H06": status(503),
        "H07": status(400, "Invalid request.", code="invalid_request_error"),
        "H08": key_refused(),
        "H09": reset_before(),
        "H10": reset_mid_body(),
        "H11": truncated_json(),
        "H12": captive_portal(),
        "H13": empty_body(),
        "H14": error_with_200(),
        "H15": silent(),
        "H16": dripping(),
        "H17": gzip_bomb(),
        "R01": shuffled(),
        "R02": first_missing(),
        "R03": first_missing(renumbered=True),
        "R04": last_missing(),
        "R05": one_extra(),
        "R06": duplicate_index(),
        "R07": duplicate_index(in_order=False),
        "R08": wrong_width(),
        "R09": wrong_width(everywhere=True),
        "R10": not_a_number(),
        "R11": infinite(),
        "R12": zeros(),
        "R13": cut_base64(),
        "R14": foreign_in_base64(),
        "R15": foreign_for_base64(),
        "R16": mixed_encodings(),
        "R17": null_vector(),
        "R18": empty_vector(),
        "R19": vector_of_strings(),
        "R20": no_rows(),
        "R21": null_rows(),
    }
)
"""Faults by their row of the matrix.

Not here: H02 needs a date of today (`rate_limited_until`), H18 a second server (`redirected`), H19
is any of these once, and H20 is about files, not about a server.
"""
