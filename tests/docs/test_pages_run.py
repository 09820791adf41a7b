"""The Python of every page runs as it stands there, and gives what the page says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from adatom import clustering
from adatom.io.sniffing import beginning_of_file
from adatom.recipes import list_recipes
from adatom.schema import CLASSES, IMAGE, positions

if TYPE_CHECKING:
    from collections.abc import Callable

    from adatom.io import Format

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Pages whose code reads a file of the reader's own, by the words that say so, and the blocks that
# do. Whatever else they hold runs.
READS_A_FILE = {
    "calibration.md": ('"scan.dm4"', {0, 1}),
    "formats.md": ('"scan.sxm"', {0}),
    "mass-imaging.md": ('"tissue.imzML"', {0, 1}),
}
# Steps that need the library of an extra: blocks that call them are left out without it.
NEEDS_A_LIBRARY = {"simulate_multislice(": "abtem"}
# What is not run here: how steps are written, in outline; the page on recipes, whose recipe
# `tests/recipes/test_documented_recipes.py` makes smaller; and the tutorial, of which
# `test_tutorial.py` compares every output.
NOT_RUN = {"conventions.md", "recipes.md", "tutorial.md"}
# Pages whose code trains: they run where torch is installed.
TRAINS = {"fine-tuning.md", "networks.md"}


def _text(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


PAGES = sorted(page.name for page in DOCS.glob("*.md") if BLOCK.search(_text(page.name)))


@dataclass(frozen=True)
class Ran:
    """What the code of a page left and printed."""

    names: dict[str, Any]
    printed: str
    folder: Path

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


@pytest.mark.parametrize("page", sorted(set(PAGES) - NOT_RUN))
def test_the_python_of_a_page_runs_and_gives_what_it_says(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if page in TRAINS:
        pytest.importorskip("torch", reason="the page trains a network")
    monkeypatch.chdir(tmp_path)
    _, left_out = READS_A_FILE.get(page, ("", set()))
    missing = [call for call, library in NEEDS_A_LIBRARY.items() if find_spec(library) is None]
    names: dict[str, Any] = {"__name__": "__main__"}
    with mpl.rc_context({"backend": "agg"}):
        for number, code in enumerate(BLOCK.findall(_text(page))):
            if number not in left_out and not any(call in code for call in missing):
                exec(compile(code, page, "exec"), names)  # noqa: S102 -- our own page
        plt.close("all")
    if page in SAYS:
        SAYS[page](Ran(names, capsys.readouterr().out, tmp_path))


def test_what_is_left_out_reads_a_file_that_no_page_makes() -> None:
    assert set(READS_A_FILE) | NOT_RUN | set(SAYS) <= set(PAGES)
    for page, (file, numbers) in READS_A_FILE.items():
        codes = BLOCK.findall(_text(page))
        # The blocks after the one that reads the file go on with what it held.
        assert file in codes[min(numbers)]
        assert max(numbers) < len(codes)


def _choosing(ran: Ran) -> None:
    assert ran["choice"].attrs["n_classes"] == 6
    assert ran["found"].classes.attrs["n_classes"] == 6
    assert ran["sweep"].table.attrs["n_classes"] == 6
    told = set(re.findall(r"^\| `(\w+)` \|", _text("choosing-classes.md"), re.MULTILINE))
    assert set(ran["choice"]) - {"n_classes", "gap_error"} == told


def _clustering(ran: Ran) -> None:
    CLASSES.check(ran["linked"].classes)
    # Linked classes are drawn in the same colors.
    assert ran["linked"].matches.attrs["agreement"] > 0.6
    assert ran["grains"].classes.sizes["class"] == 12
    stability = ran["voted"].classes["class_stability"].values
    assert stability.shape == (6,)
    assert ((stability >= 0) & (stability <= 1)).all()
    IMAGE.check(ran["doubt"])


def _fits(ran: Ran) -> None:
    assert np.abs(ran["position"].values - ran["centers"]).max() < 2


def _electrons(ran: Ran) -> None:
    assert "['C K', 'N K', 'Ti L3', 'O K', 'Mn L3', 'Fe L3']" in ran.printed
    assert "Fe L3: background from" in ran.printed


def _ferroic(ran: Ran) -> None:
    assert "ferroic" in ran.printed
    # A hand is off by half a cell at every wall, one cell in ten of these.
    assert ran["agreement"].scores["accuracy"].item() > 0.85


def _fine_tuning(ran: Ran) -> None:
    truth, sites = ran["second"].truth, ran["sites"]
    right = truth["occupancy"].values == 1
    place, true = positions(sites), positions(truth)
    nearest = true[np.linalg.norm(place[:, None] - true, axis=2).argmin(axis=1)]
    said = np.array([*ran["found"].attrs["class_names"], ""])[ran["found"]["label"].values]
    is_vacancy = (nearest[:, None] == true[right]).all(axis=2).any(axis=1)
    assert (said == "vacancy")[is_vacancy].mean() >= 0.8
    assert is_vacancy[said == "vacancy"].mean() >= 0.8


def _formats(ran: Ran) -> None:
    path = ran.folder / "a.dots"
    path.write_text("DOTS 1\n1 2 3\n4 5 6\n")
    one: Format = ran["DOTS"]
    assert callable(one.read)
    (part,) = one.read(path).parts
    assert part.shape == (2, 3)  # type: ignore[union-attr]
    claims: Any = one.claims
    assert claims(beginning_of_file(path))


def _large_data(ran: Ran) -> None:
    assert ran["found"].classes.sizes["class"] == 3


def _lifetimes(ran: Ran) -> None:
    # What `simulate_flim_map` puts in.
    (shown,) = re.findall(r"\[[\d. ]+\]", ran.printed)
    assert np.allclose(np.array(shown.strip("[]").split(), dtype=float), [0.8, 2.0], rtol=0.05)


def _probes(ran: Ran) -> None:
    modulus = ran["modulus_map"].sel(measure="young_modulus")
    assert modulus.dims == ("y", "x")
    assert abs(float(modulus[:, :3].mean()) / 500 - 1) < 0.02
    assert abs(float(modulus[:, 3:].mean()) / 3000 - 1) < 0.02
    # States begin where dI/dV is three hundredths of its highest.
    assert abs(float(ran["gap"].sel(measure="gap")[0]) - 1.06) < 0.05
    found = ran["switching"].sel(measure=["coercive_up", "coercive_down"]).values[0]
    assert abs(found - [4.0, -3.0]).max() < 0.05


def _raman(ran: Ran) -> None:
    found, label = ran["found"].classes["label"].values, ran["label"]
    assert max(np.mean(found == label), np.mean(found != label)) > 0.98


def _spectra(ran: Ran) -> None:
    for picture in ("every_number", "where", "what"):
        assert (ran.folder / f"{picture}.png").stat().st_size > 5000


def _transitions(ran: Ran) -> None:
    assert ran["counts"]["count"].sel(lag=3).sum() == 1
    assert "memory: " in ran.printed
    assert "1/s" in ran.printed


SAYS: dict[str, Callable[[Ran], None]] = {
    "choosing-classes.md": _choosing,
    "clustering.md": _clustering,
    "curve-fitting.md": _fits,
    "eels-and-eds.md": _electrons,
    "ferroic-domains.md": _ferroic,
    "formats.md": _formats,
    "fine-tuning.md": _fine_tuning,
    "large-data.md": _large_data,
    "lifetimes.md": _lifetimes,
    "probe-spectroscopy.md": _probes,
    "raman-and-luminescence.md": _raman,
    "spectra.md": _spectra,
    "transitions.md": _transitions,
}


def test_every_method_of_the_page_on_clustering_exists() -> None:
    table = _text("clustering.md").split("\n\n")[2]
    named = set(re.findall(r"`(\w+)(?:\(connected=True\))?`", table))
    steps = {name for name in named if name.startswith(("cluster_", "refine_", "choose_"))}
    assert len(steps) >= 7
    assert steps <= set(clustering.__all__)


def test_recipes_and_steps_of_the_page_on_electrons_are_there() -> None:
    words = set(re.findall(r"`(?:\w+\.)?(\w+)(?:\(.*?\))?`", _text("eels-and-eds.md")))
    assert {"eels", "eds", "eels_haadf"} <= words & set(list_recipes())
    stages = [import_module(f"adatom.{stage}") for stage in ("correction", "descriptors")]
    steps = {name for stage in stages for name in stage.__all__}
    verbs = ("correct_", "maps_", "bins_", "find_", "estimate_t", "compare_", "choose_channels")
    asked = {word for word in words if word.startswith(verbs) or "_from_" in word}
    assert len(asked) > 15
    assert asked <= steps
