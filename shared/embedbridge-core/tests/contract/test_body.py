"""Bodies of answers, as servers write them."""

from embedbridge.contract.remote import parse_object


def test_a_byte_order_mark_is_no_part_of_json() -> None:
    """Some servers put one in front (RFC 8259 lets a reader skip it)."""
    assert parse_object(b"\xef\xbb\xbf" + b'{"data": []}') == {"data": []}
