"""Run lengths in the dialects of the formats."""

from __future__ import annotations

import numpy as np


def runs(flat: np.ndarray) -> list[int]:
    """Lengths of the runs of a flat bool array, in turn False and True, False first (maybe 0)."""
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def coco_lengths(text: str) -> list[int]:
    """The run lengths in COCO's compressed text (pycocotools' ``rleFrString``): five bits of a
    number a letter, lowest first, the sixth if more follow; from the third on, each is told as the
    difference to the last but one.

    Raises ``ValueError`` for a text that is none.
    """
    lengths: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise ValueError(f"{letter!r} is no part of compressed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the run lengths end too early")
    return lengths


def read_coco(counts: str | list[int], height: int, width: int) -> np.ndarray:
    """The bool mask (H, W) of COCO's run lengths, which go down the columns.

    Raises ``ValueError`` if they are not those of a picture of this size.
    """
    lengths = coco_lengths(counts) if isinstance(counts, str) else counts
    if any(length < 0 for length in lengths) or sum(lengths) != height * width:
        raise ValueError(
            f"run lengths of {sum(lengths)} pixels, a mask of {width} x {height} has "
            f"{height * width}"
        )
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(width, height).T


def brush(mask: np.ndarray) -> list[int]:
    """Label Studio's run lengths of a bool mask (H, W): bytes of a bit stream.

    It holds RGBA, 0 or 255 in all four channels, packed as by @thi.ng/rle-pack: 32 bits of length,
    5 of word size - 1, four times 4 of a counter's size - 1; then blocks of a flag (1: a value is
    repeated), 2 bits that choose the counter's size, the count - 1, and the value.
    """
    sizes = (3, 4, 8, 16)
    bits = [f"{4 * mask.size:032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in sizes)]
    value = 0
    for length in runs(np.ascontiguousarray(mask).ravel()):
        left = 4 * length
        while left:
            count = min(left, 1 << sizes[-1])
            choice = next(i for i, size in enumerate(sizes) if count <= 1 << size)
            bits.append(f"1{choice:02b}{count - 1:0{sizes[choice]}b}{value:08b}")
            left -= count
        value = 255 - value
    stream = "".join(bits)
    stream += "0" * (-len(stream) % 8)
    return list(int(stream, 2).to_bytes(len(stream) // 8, "big"))


def read_brush(rle: list[int], height: int, width: int) -> np.ndarray:
    """The bool mask (H, W) of Label Studio's run lengths.

    Raises ``ValueError`` if they are not those of a picture of this size.
    """
    stream = "".join(f"{byte:08b}" for byte in rle)
    place = 0

    def read(count: int) -> int:
        nonlocal place
        if place + count > len(stream):
            raise ValueError("the run lengths end too early")
        place += count
        return int(stream[place - count : place], 2)

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    if total != 4 * height * width:
        raise ValueError(f"run lengths of {total} values, a mask {width} x {height} has 4 each")
    values = np.zeros(total, np.uint8)
    done = 0
    while done < total:
        repeated = read(1)
        count = read(sizes[read(2)]) + 1
        if done + count > total:
            raise ValueError("the run lengths go beyond the picture")
        if repeated:
            values[done : done + count] = min(read(word), 255)
        else:
            values[done : done + count] = [min(read(word), 255) for _ in range(count)]
        done += count
    return values.reshape(height, width, 4)[..., 3] > 0
