"""Pictures of every kind become squares of red, green and blue, or are said to be none."""

from pathlib import Path

import numpy as np
import pytest

from peephole.data.captioning.pictures import PictureFile, open_pictures, read_picture, read_pictures, write_pictures
from peephole.errors import InputError

PIL = pytest.importorskip("PIL")
from PIL import Image  # noqa: E402

RED = (200, 30, 20)


def saved(path: Path, mode: str, size: tuple[int, int] = (40, 60)) -> Path:
    Image.new("RGB", size, RED).convert(mode).save(path)
    return path


KINDS = (("RGB", "jpg"), ("RGB", "png"), ("RGBA", "png"), ("P", "png"), ("CMYK", "jpg"), ("RGB", "bmp"), ("P", "gif"))


@pytest.mark.parametrize(("mode", "suffix"), KINDS)
def test_colours_stay_whatever_the_kind(tmp_path: Path, mode: str, suffix: str) -> None:
    found = read_picture(saved(tmp_path / f"a.{suffix}", mode), 32)
    assert found.shape == (32, 32, 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - RED).max() <= 30  # the palette and the ink of print have not all colours


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_shades_have_the_same_in_all_three(tmp_path: Path, mode: str) -> None:
    shades = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(64, 0)
    picture = Image.fromarray(shades)
    if mode == "I;16":
        picture = Image.fromarray(shades.astype(np.uint16) * 100)
    elif mode != "L":
        picture = picture.convert(mode)
    picture.save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", 32)
    assert (found[..., 0] == found[..., 1]).all()
    assert (found[..., 0] == found[..., 2]).all()
    assert found[:, -1].mean() > found[:, 0].mean() + 100


def test_white_shows_through(tmp_path: Path) -> None:
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png", 32) == 255).all()


def test_upright_as_the_camera_was_held(tmp_path: Path) -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:20] = 255  # the upper half
    turned = Image.Exif()
    turned[0x0112] = 3  # by half a turn
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=turned)
    found = read_picture(tmp_path / "a.jpg", 32)
    assert found[:12].mean() < 20
    assert found[20:].mean() > 235


def test_large_ones_are_made_small(tmp_path: Path) -> None:
    assert read_picture(saved(tmp_path / "a.jpg", "RGB", (3000, 700)), 48).shape == (48, 48, 3)
    assert read_picture(saved(tmp_path / "b.png", "RGB", (1, 3)), 48).shape == (48, 48, 3)


def test_what_is_no_picture_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jpg: no such file; expected a picture"):
        read_picture(tmp_path / "a.jpg", 32)
    for name, content in {"empty": b"", "text": b"a dog", "half": b""}.items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(content)
        if name == "half":  # cut off in the middle of its pixels
            whole = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
            Image.fromarray(whole).save(path)
            path.write_bytes(path.read_bytes()[:1500])
        said = "truncated" if name == "half" else "no picture"
        with pytest.raises(InputError, match=rf"{name}\.jpg: .*{said}"):
            read_picture(path, 32)


def test_folders_and_numbers_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(InputError, match=r"a\.jpg: is a directory; expected a picture"):
        read_picture(tmp_path / "a.jpg", 32)
    values = np.full((40, 40), 0.5, np.float32)
    values[3] = np.nan
    Image.fromarray(values).save(tmp_path / "b.tif")
    with pytest.raises(InputError, match=r"b\.tif: numbers that are not finite"):
        read_picture(tmp_path / "b.tif", 32)


def test_read_in_order_and_kept(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{number}.png", "RGB", (10 + number, 10)) for number in range(5)]
    (tmp_path / "2.png").write_bytes(b"no")
    folder = tmp_path / "data"
    folder.mkdir()
    found = write_pictures(folder, read_pictures(paths, 32, tmp_path / "shards", 1))
    assert found == [True, True, False, True, True]
    assert (open_pictures(folder, 32) == read_picture(paths[0], 32)).all()
    assert open_pictures(folder, 32).shape == (4, 32, 32, 3)
    (folder / "pictures.bin").write_bytes(b"12345")
    with pytest.raises(InputError, match="damaged: 5 bytes"):
        open_pictures(folder, 32)
    (folder / "pictures.bin").unlink()
    with pytest.raises(InputError, match="missing"):
        open_pictures(folder, 32)


def test_what_was_read_is_not_read_again_unless_it_changed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", "RGB")
    shards = tmp_path / "shards"
    first = next(read_pictures([path], 32, shards, 1))
    kept = {one: one.stat().st_mtime_ns for one in shards.iterdir()}
    assert (next(read_pictures([path], 32, shards, 1)) == first).all()
    assert {one: one.stat().st_mtime_ns for one in shards.iterdir()} == kept
    before = PictureFile.of(path)
    Image.new("RGB", (9, 9), (0, 0, 255)).save(path)
    assert PictureFile.of(path) != before
    assert next(read_pictures([path], 32, shards, 1))[0, 0, 0, 2] == 255
