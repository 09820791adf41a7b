"""Claims about the reference set: computed once, then read; no waves are propagated here."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from ase.neighborlist import neighbor_list
from contract_multislice import stand_in

from adatom.errors import MissingExtraError, SettingError, WriteError
from adatom.schema import notes
from adatom.simulation import reference_images as module
from adatom.simulation import simulate_reference_image
from adatom.simulation.electron_waves import PeriodicImages, import_abtem
from adatom.simulation.reference_structures import REFERENCES


class Propagation:
    """Stands in for the propagation of waves, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, atoms: Any, *_: object, **__: object) -> PeriodicImages:
        self.calls += 1
        return stand_in(atoms)


@pytest.fixture
def propagation(monkeypatch: pytest.MonkeyPatch) -> Propagation:
    counting = Propagation()
    monkeypatch.setattr(module, "periodic_images", counting)
    monkeypatch.setattr(module, "_abtem_version", lambda: "1.0.9")
    return counting


def test_a_second_call_reads_what_the_first_computed_for_both_detectors(
    propagation: Propagation, tmp_path: Path
) -> None:
    first = simulate_reference_image(name="mgo_100", folder=str(tmp_path), seed=2)
    second = simulate_reference_image(name="mgo_100", folder=str(tmp_path), seed=2)
    simulate_reference_image(name="mgo_100", detector="abf", folder=str(tmp_path))
    assert propagation.calls == 1
    xr.testing.assert_equal(first.image, second.image)
    xr.testing.assert_equal(first.truth, second.truth)
    assert "multislice computed by PRISM" in notes(first.image)[0]
    assert "multislice read from mgo_100-" in notes(second.image)[0]


def test_another_version_of_abtem_or_of_the_code_computes_anew(
    propagation: Propagation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_reference_image(name="mos2", folder=str(tmp_path))
    monkeypatch.setattr(module, "_abtem_version", lambda: "1.0.11")
    simulate_reference_image(name="mos2", folder=str(tmp_path))
    assert propagation.calls == 2
    monkeypatch.setattr(module, "_SOURCES", ("optics.py",))
    simulate_reference_image(name="mos2", folder=str(tmp_path))
    assert propagation.calls == 3


def test_what_is_kept_is_read_where_abtem_is_not_installed(
    propagation: Propagation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_reference_image(name="mgo_100", folder=str(tmp_path))
    monkeypatch.setattr(module, "_abtem_version", lambda: "")
    simulate_reference_image(name="mgo_100", folder=str(tmp_path))
    assert propagation.calls == 1


def test_without_abtem_and_without_files_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "abtem", None)
    monkeypatch.setattr(module, "_abtem_version", lambda: "")
    with pytest.raises(MissingExtraError, match=r"pip install 'adatom\[multislice\]'"):
        simulate_reference_image(name="mgo_100", folder=str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"pip install 'adatom\[multislice\]'"):
        import_abtem()


def test_a_damaged_file_is_computed_anew_and_told(propagation: Propagation, tmp_path: Path) -> None:
    simulate_reference_image(name="mgo_100", folder=str(tmp_path))
    kept = next(tmp_path.glob("*.npz"))
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(bytes(content))
    again = simulate_reference_image(name="mgo_100", folder=str(tmp_path))
    assert propagation.calls == 2
    assert "in the place of a damaged file" in notes(again.image)[0]


def test_the_manifest_lists_every_entry_with_versions_and_settings(
    propagation: Propagation, tmp_path: Path
) -> None:
    for name in ("mgo_100", "gaas_110"):
        simulate_reference_image(name=name, folder=str(tmp_path))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    entries = {told["name"]: told for told in manifest["entries"].values()}
    assert set(entries) == {"mgo_100", "gaas_110"}
    told = entries["gaas_110"]
    assert told["abtem"] == "1.0.9"
    assert told["set"] == manifest["set"]
    assert told["formula"] == "As192Ga192"
    assert told["detectors"][0]["energy"] == "100 keV"
    # Nothing is left of the files that were written on the way.
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz", ".json"}


def test_the_dose_counts_electrons_and_no_dose_gives_shares_of_the_beam(
    propagation: Propagation, tmp_path: Path
) -> None:
    clean = simulate_reference_image(name="mgo_100", dose=np.inf, folder=str(tmp_path))
    noisy = simulate_reference_image(name="mgo_100", dose=1e6, folder=str(tmp_path))
    assert clean.image.attrs["units"] == "1"
    assert noisy.image.attrs["units"] == "counts"
    # 1e6 electrons per nm^2 on pixels of 0.015 nm are 225, of which the stand-in counts 0.1.
    # The image holds 2.3 periods of its one wave.
    mean = float(noisy.expected.mean())
    assert mean == pytest.approx(22.5, rel=0.05)
    assert float((noisy.image - noisy.expected).var()) == pytest.approx(mean, rel=0.05)
    np.testing.assert_allclose(noisy.truth["amplitude"], 225 * clean.truth["amplitude"], rtol=1e-5)


def test_a_name_or_a_detector_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="use one of graphene_si, mos2"):
        simulate_reference_image(name="gold", folder=str(tmp_path))  # type: ignore[arg-type]
    with pytest.raises(SettingError, match='must be "haadf" or "abf"'):
        simulate_reference_image(detector="df", folder=str(tmp_path))  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_written_is_named_with_a_remedy(
    propagation: Propagation, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="Name a folder="):
        simulate_reference_image(name="mgo_100", folder=str(tmp_path / "file" / "set"))


def test_a_full_disk_leaves_nothing_half_written(
    propagation: Propagation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left on device"):
        simulate_reference_image(name="mgo_100", folder=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_folder_of_the_user_follows_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert module.default_folder() == tmp_path / "adatom" / "multislice"


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_the_samples_are_crystals_with_sound_distances(name: str) -> None:
    box = module._entry(name, REFERENCES[name]).box
    atoms = box.atoms
    atom, distance = neighbor_list("id", atoms, 2.8)  # type: ignore[no-untyped-call]
    assert distance.min() > 1.3
    # Bonds are shorter than 2.8 angstroms (Sr to O: 2.76); the rim of a cut sheet has none.
    assert len(np.unique(atom)) > 0.97 * len(atoms)


def test_the_defects_that_the_set_promises_are_there() -> None:
    boxes: dict[str, Any] = {
        name: module._entry(name, REFERENCES[name]).box.atoms for name in REFERENCES
    }
    assert boxes["mos2"].get_chemical_formula() == "Mo28S52"
    assert boxes["srtio3_100"].get_chemical_formula() == "O408Sr132Ti136"
    classes = set(boxes["graphene_si"].arrays["class"].tolist())
    assert {"C", "Si-C3", "Si-C4", "C at V1"} <= classes
