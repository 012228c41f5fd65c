"""`peephole stability scalar` and `vector`: what they print and write, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pytest

from peephole.cli import stability_scalar, stability_vector
from peephole.errors import InputError

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with matrices, good and bad."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    np.save("W.npy", (0.8 * generator.standard_normal((6, 6)) / 6**0.5).astype("f4"))
    np.save("two.npy", np.diag([1.5, 0.5]))
    np.save("big.npy", np.array([[1, 2], [0, 3]], ">i4"))
    np.save("complex.npy", np.eye(2) * 1j)
    np.save("objects.npy", np.array([[None]]), allow_pickle=True)
    np.save("long.npy", np.ones((2, 3)))
    np.save("nan.npy", np.array([[np.nan, 1], [1, np.inf]]))
    np.savez("several.npz", one=np.eye(2), two=np.eye(2))
    whole = Path("W.npy").read_bytes()
    Path("cut.npy").write_bytes(whole[:-20])
    Path("header.npy").write_bytes(whole[:40])
    Path("empty.npy").touch()
    Path("rows.csv").write_text("# two units\n1.5, 0\n0, .5,\n\n")
    Path("rows.txt").write_text("1.5 0\n0\t5e-1\n")
    Path("words.csv").write_text("1,2\n3,four\n")
    Path("ragged.txt").write_text("1 2\n3\n")
    Path("blank.txt").write_text("\n\n")
    Path("latin.txt").write_bytes(b"caf\xe9")
    Path("folder").mkdir()
    return tmp_path


def scalar(*words: object) -> int:
    return stability_scalar.run([str(word) for word in words])


def vector(*words: object) -> int:
    return stability_vector.run([str(word) for word in words])


# --- scalar ---


def test_scalar_prints_verdicts_and_numbers(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scalar("--activation", "tanh", "--weight", 1.5, "--starts", -1, 0, 2.5) == 0
    verdict, memory, *lines = capsys.readouterr().out.splitlines()
    assert verdict.startswith("tanh with w = 1.5 keeps two limits apart")
    assert memory.startswith("tanh remembers longest at w = -1 and 1 ")
    assert [" ".join(line.split()) for line in lines] == [
        "fixed point h = -0.85856 multiplier 0.3943 attracting",
        "fixed point h = 0 multiplier 1.5 repelling",
        "fixed point h = 0.85856 multiplier 0.3943 attracting",
        "two limits for -0.2075 < b + c x < 0.2075, one limit elsewhere",
        "start -1 to h = -0.8586 1 % left after 5",
        "start 0 to h = 0 1 % left after 0",
        "start 2.5 to h = 0.8586 1 % left after 4",
    ]
    assert len({line.index("h = ") for line in lines[:3]}) == 1
    assert not any(place.glob("*.png"))


@pytest.mark.parametrize("weight", ["-1.5", "-15e-1", "=-1.5"])
def test_negative_weights_are_no_options(capsys: pytest.CaptureFixture[str], weight: str) -> None:
    words = [f"--weight{weight}"] if weight.startswith("=") else ["--weight", weight]
    assert scalar(*words) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "cycle of two h = -0.85856, 0.85856 multiplier 0.1555 attracting" in out
    assert "to h = -0.8586, 0.8586" in out


def test_scalar_says_what_is_slow_and_what_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    assert scalar("--weight", 1, "--starts", 0.01) == 0
    assert "neutral, attracts from both sides" in (out := capsys.readouterr().out)
    assert "1 % left after more than 20,000" in out
    assert scalar("--weight", 2, "--activation", "relu", "--bias", -3, "--input", 1) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "fixed point h = 2 multiplier 2 repelling start" in out
    assert "leaves all bounds" in out


def test_scalar_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        scalar("--weight", 3, "--activation", "identity", "--bias", 2, "--starts", 1, -1, "--steps", 700, "--json") == 0
    )
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["outcome"] == "blows up"
    assert found["cycles"][0]["points"] == [-1.0]
    assert found["cycles"][0]["half_life"] is None
    assert found["limits"] == [[None, -1.0], [None, -1.0]]
    assert found["settling"] == [None, 0.0]
    assert found["trajectories"][:2] == [[1.0, -1.0], [5.0, -1.0]]
    assert found["trajectories"][700] == [None, -1.0]
    assert found["memory"]["weights"][0] == -2
    assert found["figure"] is None


def test_scalar_draws(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scalar("--weight", 9, "--out", "new/figures", "--json") == 0
    assert (place / "new/figures/scalar.png").read_bytes().startswith(PNG)
    assert json.loads(capsys.readouterr().out)["figure"] == "new/figures/scalar.png"
    written = sorted(path.name for path in (place / "new/figures").iterdir())
    assert written == ["scalar.pdf", "scalar.png", "scalar.svg"]


# --- vector ---


def test_vector_of_the_identity_is_the_linear_recurrence(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from peephole.stability.recurrences.linear import linear_recurrence
    from peephole.stability.recurrences.transient import transient

    assert vector("W.npy", "--out", "figures") == 0
    verdict, before, *modes, written = capsys.readouterr().out.splitlines()
    weight = np.load("W.npy")
    assert verdict == linear_recurrence(weight).verdict
    assert before == transient(weight).verdict
    assert written == "wrote figures/vector.png"
    assert Path("figures/vector.png").read_bytes().startswith(PNG)
    largest = np.abs(np.linalg.eigvals(weight.astype(float))).max()
    assert f"|λ| = {largest:.4g}" in modes[0]


@pytest.mark.parametrize("name", ["rows.csv", "rows.txt", "two.npy"])
def test_vector_as_json(place: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert vector(name, "--json", "--steps", 5) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert [mode["eigenvalue"] for mode in found["modes"]] == [[1.5, 0.0], [0.5, 0.0]]
    assert np.allclose(found["power_norms"], [1.5**t for t in range(6)], rtol=1e-14)
    assert vector(name, "--json", "--activation", "tanh", "--starts", 9, "--seed", 3) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["forgotten_after"] is None
    assert len(found["limits"]) == 2
    assert len(found["limit_of"]) == 9
    assert len(found["distances"]) == 201
    assert len(found["left"]) == len(found["left_at"])


def test_vector_follows_other_activations(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vector("W.npy", "--activation", "sigmoid", "--steps", 40, "--out", "figures") == 0
    verdict, head, first, *_, written = capsys.readouterr().out.splitlines()
    assert verdict.startswith("sigmoid of 6 units forgets its start in ")
    assert "∂h(40)/∂h(0)" in verdict
    assert head.split()[0] == "step"
    assert first.split() == ["0", "1", "1", "to", "1"]
    assert written == "wrote figures/vector.png"
    assert Path("figures/vector.png").read_bytes().startswith(PNG)


def test_a_matrix_that_grows_fast_is_followed_within_float64(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("fast.txt").write_text("1e20 0\n0 1\n")
    assert vector("fast.txt") == 0
    assert "|λ| = 1e+20" in capsys.readouterr().out
    with pytest.raises(InputError, match="steps is 100: W\\^16 passes the largest float64"):
        vector("fast.txt", "--steps", 100)


def test_bytes_of_either_order_and_whole_numbers_are_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vector("big.npy", "--json") == 0
    assert json.loads(capsys.readouterr().out)["spectral_radius"] == 3


# --- refusals ---


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("scalar --weight nan", "weight is nan; expected a finite number"),
        ("scalar --weight 1 --bias inf", "bias is inf"),
        ("scalar --weight 1 --steps 0", "steps is 0"),
        ("scalar --weight 1 --activation softmax", "softmax acts on a vector"),
        ("scalar --weight 1 --activation gelu", "activation is 'gelu'; expected one of"),
        ("scalar --weight 1 --starts nan", "starts holds nan"),
        ("scalar --weight 1 --out W.npy", "W.npy: is a file; expected a folder, choose another --out"),
        ("scalar --weight 1 --out W.npy/figures", "W.npy/figures: cannot be made"),
        ("vector W.npy --out W.npy", "W.npy: is a file; expected a folder"),
        ("vector W.npy --activation gelu", "activation is 'gelu'"),
        ("vector W.npy --activation tanh --steps 0", "steps is 0"),
        ("vector W.npy --steps 0", "steps is 0"),
        ("vector W.npy --activation tanh --starts 1", "starts is 1"),
        ("vector W.npy --activation tanh --seed -1", "seed is -1"),
        ("vector missing.npy", "missing.npy: cannot be read (no such file or directory)"),
        ("vector folder", "folder: is a folder; expected one square matrix"),
        ("vector complex.npy", "complex.npy: holds complex128; expected one square matrix of real numbers"),
        ("vector objects.npy", "objects.npy: damaged, or no array of numbers (Object arrays cannot be loaded"),
        ("vector long.npy", "long.npy: has shape [2, 3]"),
        ("vector nan.npy", "nan.npy: 2 of 4 numbers are not finite"),
        ("vector several.npz", "several.npz: an archive of several arrays"),
        ("vector cut.npy", "cut.npy: damaged"),
        ("vector header.npy", "header.npy: damaged"),
        ("vector empty.npy", "empty.npy: damaged"),
        ("vector words.csv", "words.csv: line 2: 'four' is no number"),
        ("vector ragged.txt", "ragged.txt: line 2 has 1 numbers, those before 2"),
        ("vector blank.txt", "blank.txt: has shape [0]"),
        ("vector latin.txt", "latin.txt: neither .npy nor text"),
    ],
)
def test_one_line_and_nothing_left(place: Path, capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    before = sorted(place.rglob("*"))
    command, *rest = words.split()
    if "--out" not in rest:
        rest += ["--out", "figures"]
    with pytest.raises(InputError) as refusal:
        {"scalar": scalar, "vector": vector}[command](*rest)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert capsys.readouterr().out == ""
    assert sorted(place.rglob("*")) == before


def test_a_weight_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    for run in (scalar, vector):
        with pytest.raises(SystemExit) as stop:
            run()
        assert stop.value.code == 2
