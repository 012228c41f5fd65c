"""Pictures that tests draw, with captions that say what is on them: all can be learnt in seconds."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (40, 70, 220), "yellow": (230, 210, 50)}
SHAPES = ("square", "stripe")
SIDE, PATCH = 32, 8


def drawn(random: np.random.Generator) -> tuple[NDArray[np.uint8], tuple[str, str]]:
    """A shape in a colour, in the upper or the lower half of patches of grey, and two captions of it. Pictures differ
    more in their patches than in their shapes.
    """
    colour, shape = str(random.choice(list(COLOURS))), str(random.choice(SHAPES))
    above = bool(random.random() < 0.5)
    greys = random.integers(0, 256, (SIDE // PATCH, SIDE // PATCH, 1))
    picture = greys.repeat(PATCH, 0).repeat(PATCH, 1).repeat(3, 2).astype(np.uint8)
    row, column = (8 if above else 24) + random.integers(-2, 3), random.integers(7, 26)
    down, across = np.mgrid[:SIDE, :SIDE] - np.array([row, column])[:, None, None]
    far = np.maximum(abs(down), abs(across))
    places = {"square": far <= 5, "stripe": (abs(down) <= 2) & (abs(across) <= 12)}[shape]
    picture[places] = COLOURS[colour]
    noisy = np.clip(picture + random.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    where = "above" if above else "below"
    return noisy, (f"A {colour} {shape} is {where} the middle .", f"there is a {colour} {shape} {where} the middle")


def write(folder: Path, name: str, count: int, seed: int) -> Path:
    """So many pictures as PNG in `folder`, and a file of their captions, as Flickr8k has them."""
    from PIL import Image

    random = np.random.default_rng(seed)
    lines: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture, captions = drawn(random)
        Image.fromarray(picture).save(folder / f"{name}{number}.png")
        lines += [f"{name}{number}.png#{place}\t{caption}" for place, caption in enumerate(captions)]
    path = folder / f"{name}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
