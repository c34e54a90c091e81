"""Images that were damaged at random: a picture or our own error, and soon."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

import pytest

from embedbridge.contract import Image, InvalidImageError
from embedbridge.core.images.decode import open_image
from embedbridge.core.images.rules import ImageRules
from embedbridge.testing.image_files import variants

FILES = list(variants(24, 16).values())
Within: TypeAlias = Callable[[], AbstractContextManager[None]]

RULES = ImageRules(max_pixels=4_000_000)

EDGES = [0, 1, 2, 3, 4, 0x7F, 0x80, 0xD8, 0xD9, 0xDA, 0xFE, 0xFF]
NUMBERS = [0, 1, 7, 255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1]


def changed_bytes(dice: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 5, 20])):
        damaged[dice.randrange(len(damaged))] = dice.choice([dice.randrange(256), *EDGES])
    return bytes(damaged)


def changed_header(dice: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(dice.choice([1, 2, 4])):
        damaged[dice.randrange(min(len(damaged), 200))] = dice.choice(EDGES)
    return bytes(damaged)


def changed_number(dice: random.Random, data: bytes) -> bytes:
    place, form = dice.randrange(max(len(data) - 4, 1)), dice.choice(["<I", ">I", "<H", ">H"])
    number = dice.choice(NUMBERS) % 2 ** (8 * struct.calcsize(form))
    return data[:place] + struct.pack(form, number) + data[place + struct.calcsize(form) :]


def cut(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(1, len(data))]


def without_a_piece(dice: random.Random, data: bytes) -> bytes:
    start = dice.randrange(len(data))
    return data[:start] + data[start + dice.randrange(1, 64) :]


def with_a_piece_twice(dice: random.Random, data: bytes) -> bytes:
    start, end = sorted(dice.randrange(len(data)) for _ in range(2))
    return data[:end] + data[start:end] * dice.choice([1, 1, 3]) + data[end:]


def with_noise(dice: random.Random, data: bytes) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + dice.randbytes(dice.randrange(1, 64)) + data[place:]


def of_two(dice: random.Random, data: bytes) -> bytes:
    other = dice.choice(FILES)
    return data[: dice.randrange(len(data))] + other[dice.randrange(len(other)) :]


DAMAGES: list[Callable[[random.Random, bytes], bytes]] = [
    changed_bytes,
    changed_header,
    changed_number,
    cut,
    without_a_piece,
    with_a_piece_twice,
    with_noise,
    of_two,
]


def with_right_checksums(data: bytes) -> bytes:
    """A PNG's checksums would find nearly all damage before Pillow could see it."""
    fixed, place = bytearray(data), 8
    while place + 12 <= len(fixed):
        end = place + 8 + int.from_bytes(fixed[place : place + 4])
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(fixed[place + 4 : end]))
        place = end + 4
    return bytes(fixed)


def damaged(seed: int) -> bytes:
    dice = random.Random(seed)
    data = dice.choice(DAMAGES)(dice, dice.choice(FILES))
    return with_right_checksums(data) if data[:4] == b"\x89PNG" and dice.random() < 0.8 else data


def survived(data: bytes) -> bool:
    """Whether it is still a picture; anything but our own error escapes."""
    said = ""
    try:
        mode = open_image(Image.from_bytes(data), RULES).decode().pixels.mode
    except InvalidImageError as error:
        mode, said = "", str(error)

    assert (mode == "RGB") != bool(said)
    assert len(said) <= 200
    assert " at 0x" not in said
    return not said


def decode_all(seeds: range, within: Within) -> tuple[int, int]:
    """How many were pictures and how many were refused; none of them took long."""
    outcomes = []
    for seed in seeds:
        data = damaged(seed)
        with within():
            outcomes.append(survived(data))

    return outcomes.count(True), outcomes.count(False)


@pytest.mark.seconds(8)  # for each image
@pytest.mark.filterwarnings("error")
def test_damaged_images_are_pictures_or_errors(within: Within) -> None:
    """1,500 images: no other exception, no warning, no hang."""
    pictures, refused = decode_all(range(1_500), within)

    assert pictures + refused == 1_500
    assert pictures > 200  # else the damage is so great that no decoder was ever reached
    assert refused > 200


@pytest.mark.slow
@pytest.mark.seconds(8)  # for each image
@pytest.mark.filterwarnings("error")
def test_many_damaged_images_are_pictures_or_errors(within: Within) -> None:
    """20,000 more."""
    pictures, refused = decode_all(range(10_000, 30_000), within)

    assert pictures + refused == 20_000
    assert min(pictures, refused) > 2_000
