"""Every file of the shared data that is read, against the catalogue's shapes and scales."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from adatom.errors import ReadError
from adatom.io import read_contents, read_image, read_label_image, read_movie, read_spectral_map
from adatom.schema import notes, pixel_size

DATA = Path(os.environ.get("ADATOM_DATA", ""))
IMAGING, SPECTRAL = DATA / "imaging", DATA / "spectral"
FORMATS = IMAGING / "formats/rsciio/rsciio/tests/data"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


class Known(NamedTuple):
    """What the catalogue says of an image."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    pixel: float | None
    """In nm; none where the file has no scale."""


IMAGES = [
    Known("graphene_si_aicr/G-Si-2nm.hdf5", (256, 256), "float64", 2 / 256),
    Known("graphene_si_aicr/G-Si-2nm.npy", (256, 256), "float64", None),
    Known("graphene_si_aicr/G-GrainBoundary-4nm.hdf5", (512, 512), "float32", 4 / 512),
    Known("graphene_si_aicr/G-Si-4fold.hdf5", (512, 512), "float64", 2 / 512),
    Known("graphene_si_aicr/G-dimtrimSi/G-dimSi.hdf5", (512, 512), "float32", None),
    Known("ws2_janus_dyck/Partially converted images/SuperScan (HAADF) 8_corrected.tif",
          (1024, 1024), "uint8", 1 / 128),
    Known("ws2_janus_dyck/Partially converted images/SuperScan (HAADF) 12_corrected.tif",
          (512, 512), "uint8", 1 / 128),
    Known("ws2_janus_dyck/Fully converted images/SuperScan (HAADF) 14_corrected.tif",
          (1024, 1024), "uint8", None),
    Known("mos2_scilink/MoS2_stem_Exp-000-2.npy", (512, 512), "float64", 9 / 512),
    Known("mos2_scilink/MoS2_stem_Exp-001-5.npy", (512, 512), "float64", 7 / 512),
    Known("stem_wsete_sim_stemlearning/simulated/0/input.tiff", (1024, 1024), "uint8", None),
    Known("symmetrynet_mowse2/41524_2018_86_MOESM4_ESM.tif", (319, 329), "uint8", None),
    Known("atomap/history/STO_ADF.hdf5", (999, 1012), "float32", None),
    Known("atomap/tests/datasets/test_ADF_cropped.hdf5", (400, 380), "float32", None),
    Known("atomap/tests/datasets/test_ABF_cropped.hdf5", (400, 380), "float32", None),
    Known("atomap/example_data/simulated_nanoparticle.hspy", (220, 300), "uint16", None),
    Known("atomap/example_data/example_detector_image.hspy", (512, 512), "uint16", 31.036470),
    Known("temul/publication_examples/PTO_supercrystal_hadjimichael/data/"
          "Cropped_PTO-SRO_Aligned.hspy", (224, 1312), "float64", 0.014997),
    Known("temul/temul/example_data/structures/example_Cu_nanoparticle_sim.hspy",
          (434, 434), "float32", 1.0),
    Known("singleorigin/BSSN_DPC_images/data_scan70_id2154_electronsdrift_corr_DPC_"
          "processdate_20230102_hp_reg_0.01_lp_reg100.tif", (1364, 1368), "uint16", None),
    Known("scilink_misc/GH_stm.tif", (1423, 1423), "uint16", None),
    Known("stem_misc_aistem/673K.tif", (512, 512), "uint8", None),
    Known("stem_misc_aistem/Cu2Te.tif", (1024, 1024), "uint8", None),
    Known("stem_misc_aistem/SrTiO3.jpg", (1024, 1024), "uint8", None),
    Known("stem_misc_aistem/LLTO.jpg", (512, 512), "uint8", None),
    Known("trackpy_tests/video/image_sequence/T76S3F00001.png", (424, 640), "uint8", None),
    Known("trackpy_tests/wire/oblique_frame.npy", (256, 256), "uint8", None),
    Known("afm_dna_topostats/minicircle_cropped_flattened.npy", (256, 256), "float64", None),
    Known("afm_dna_topostats/dnatracing_image_circular.npy", (152, 138), "float64", None),
    Known("afm_nanolocz/Example Data/Rotate test.tif", (658, 658), "float32", None),
    Known("afm_particle_detect/noisey particles.tif", (400, 400), "float32", None),
    Known("afm_particle_detect/Liquorice test.tif", (140, 380), "uint8", None),
    Known("stm_molecules_stemlearning/CoMTPP/0/input.tif", (738, 738), "uint8", None),
    Known("stm_molecules_stemlearning/CuPcCl/original/0/input.tif", (529, 417), "uint16", None),
    Known("formats/rsciio/rsciio/tests/data/digitalmicrograph/2D/multi_signal.dm3",
          (512, 512), "uint16", 0.01775),
    Known("formats/rsciio/rsciio/tests/data/mrc/HAADFscan.mrc", (16, 16), "uint16", 5.68),
    Known("formats/rsciio/rsciio/tests/data/emd/example_image.emd", (3, 3), "int32", None),
    Known("formats/rsciio/rsciio/tests/data/tiff/test_dm_image_um_unit.dm3",
          (68, 68), "int32", 168.7),
    Known("formats/rsciio/rsciio/tests/data/tiff/test_loading_image_saved_with_DM.tif",
          (68, 68), "int32", 168.7),
    Known("formats/rsciio/rsciio/tests/data/hspy/example2_v3.1.hspy", (16, 16), "int32", None),
    Known("../spectral/eels_cuzn/CuZn_HAADF.hspy", (50, 40), "uint16", 0.921),
    Known("../spectral/eels_dm3_si/DMReader_SI-HAADF.dm3", (1568, 192), "float32", None),
    Known("../spectral/eels_dm3_si/DMReader_Image_SI-Survey.dm3", (512, 512), "uint32", None),
    Known("../spectral/eds_velox_si/EMDReader_SpectrumImage_Si.emd", (16, 16), "uint16", 5.30),
    Known("../spectral/4dstem_pyxem_amorphous/Amorphous.hspy", (512, 512), "int64", None),
]  # fmt: skip


@pytest.mark.parametrize("known", IMAGES, ids=lambda known: Path(known.path).name)
def test_images_have_the_shape_and_scale_of_the_catalogue(known: Known) -> None:
    image = read_image(IMAGING / known.path)
    assert image.shape == known.shape
    assert image.dtype == known.dtype
    assert np.isfinite(image.values).all()
    assert image.values.std() > 0
    json.dumps(image.attrs)
    if known.pixel is None:
        assert image.x.units == "px"
        assert notes(image)
    else:
        assert image.x.units == "nm"
        assert pixel_size(image) == pytest.approx((known.pixel, known.pixel), rel=1e-3)


@pytest.mark.parametrize("number", ["12", "197", "240"])
def test_the_defect_library_is_in_pm(number: str) -> None:
    image = read_image(IMAGING / f"graphene_defect_library/library_refined/Si1C3/{number}.hdf5")
    assert image.shape in {(256, 256), (128, 128)}
    assert pixel_size(image)[0] * image.shape[0] == pytest.approx(2.0)


def test_all_of_the_defect_library_is_read() -> None:
    files = sorted((IMAGING / "graphene_defect_library/library_refined").glob("*/*.hdf5"))
    widths = [pixel_size(image)[0] * image.shape[0] for image in map(read_image, files)]
    assert len(widths) == 48
    assert {round(width, 6) for width in widths} == {1.0, 2.0, 3.1}


def test_all_patches_are_grey_whatever_their_mode() -> None:
    files = sorted((IMAGING / "stem_defect_patches").glob("*/*.tif"))
    assert len(files) == 220
    for file in files:
        image = read_image(file)
        assert image.shape == (64, 64)
        assert image.dtype == np.uint8


def test_all_topographs_are_grey() -> None:
    files = sorted((IMAGING / "stm_wse2_mlstm").glob("*.jpg"))
    assert len(files) == 37
    assert all(read_image(file).dtype == np.uint8 for file in files)


def test_the_sublattice_of_srtio3_says_how_to_set_its_scale() -> None:
    image = read_image(IMAGING / "atomap/history/STO_ADF.hdf5")
    assert 'pixel_size="0.00932627 nm"' in notes(image)[0]


MOVIES = [
    Known("abf_stack_hyperspydemos/stem_abf_data_imagestack.hspy", (5, 512, 512), "uint16", 0.0092),
    Known("tem_au_growth/gold_growth_crop_y450-1250_x400-1050_frames0-2-4-6-8-10-12.tif",
          (7, 800, 650), "uint8", None),
    Known("brownian_laptrack/bright_spots_data/brownian_particles_images_with_noise_small.npz",
          (10, 80, 80), "float64", None),
    Known("formats/rsciio/rsciio/tests/data/tiff/test_loading_image_saved_with_imageJ_stack.tif",
          (2, 68, 68), "float32", 168.7),
    Known("formats/rsciio/rsciio/tests/data/digitalmicrograph/3D/test-1.dm3", (2, 2, 2), "int16",
          None),
    Known("movte_scilink/oxide_catalyst_analysis_components.npy", (4, 96, 96), "float64", None),
]  # fmt: skip


@pytest.mark.parametrize("known", MOVIES, ids=lambda known: Path(known.path).name)
def test_movies_have_the_shape_and_scale_of_the_catalogue(known: Known) -> None:
    movie = read_movie(IMAGING / known.path)
    assert movie.shape == known.shape
    assert movie.dtype == known.dtype
    if known.pixel is not None:
        assert pixel_size(movie) == pytest.approx((known.pixel, known.pixel), rel=1e-3)
    frame = read_image(IMAGING / known.path, frame=1)
    np.testing.assert_array_equal(frame.values, movie[1].values)


def test_the_growing_gold_darkens_as_the_catalogue_says() -> None:
    path = IMAGING / "tem_au_growth"
    movie = read_movie(next(path.glob("*.tif")))
    means = movie.mean(("y", "x")).values
    np.testing.assert_allclose(means, [109.1, 105.3, 101.6, 97.1, 92.9, 87.3, 82.7], atol=0.06)


MAPS: list[tuple[str, tuple[int, ...], str, float, float, str]] = [
    ("eels_cuzn/CuZn_EELS_mapping_tutorial.hspy", (50, 40, 162), "energy", 700, 1988, "eV"),
    ("eels_dm3_si/DMReader_SpectrumImage_SI-EELS.dm3", (49, 6, 1024), "energy", 350, 861.5, "eV"),
    ("eds_velox_si/EMDReader_SpectrumImage_Si.emd", (16, 16, 4096), "energy", -1000, 39950, "eV"),
    ("cl_lumispy/asymmetric_peak_map.hspy", (16, 30, 334), "wavelength", 530.79, 803.52, "nm"),
    ("cl_lumispy/nanoparticles.hspy", (15, 20, 507), "wavelength", 229.4, 769.0, "nm"),
    ("trcl_ingan/InGaN_transient_map.hspy", (30, 30, 525), "time", 2.4, 4.496, "ns"),
    ("readers/16x16-spectrum_image_5x5x4000-not_square_1.ser", (5, 5, 4000), "energy", 0, 19995,
     "eV"),
    ("beps_pto/BEPS_PTO_50x50.h5", (50, 50, 64), "bias", 0, -0.531, "V"),
]  # fmt: skip


@pytest.mark.parametrize("known", MAPS, ids=lambda known: Path(known[0]).name)
def test_maps_have_the_axes_of_the_catalogue(known: tuple[Any, ...]) -> None:
    path, shape, dim, first, last, unit = known
    found = read_spectral_map(SPECTRAL / path)
    assert found.dims == ("y", "x", dim)
    assert found.shape == shape
    along = found[dim]
    assert along.units == unit
    assert along.values[[0, -1]] == pytest.approx([first, last], rel=1e-3, abs=0.01)
    assert np.isfinite(found.values).all()


def test_the_ser_map_keeps_its_rows_and_tells_of_their_direction() -> None:
    found = read_spectral_map(SPECTRAL / MAPS[6][0])
    assert pixel_size(found) == pytest.approx((4.258, 1.986), rel=1e-3)
    assert any("y ran downwards in the file" in note for note in notes(found))


def test_the_hysteresis_loops_lie_with_y_first() -> None:
    found = read_spectral_map(SPECTRAL / "beps_pto/BEPS_PTO_50x50.h5")
    import h5py

    with h5py.File(SPECTRAL / "beps_pto/BEPS_PTO_50x50.h5") as file:
        stored = file["Channel_000/generic/generic"][:]
    np.testing.assert_array_equal(found.values, stored.transpose(1, 0, 2))
    assert pixel_size(found)[0] * 49 == pytest.approx(2000, rel=1e-3)


@pytest.mark.parametrize("file", sorted(FORMATS.glob("digitalmicrograph/*/*.dm*")), ids=str)
def test_every_digitalmicrograph_file_is_told_of(file: Path) -> None:
    table = read_contents(file)
    assert table.attrs["format"] == "DigitalMicrograph"
    shape = "2 x 2 x 2" if "3D" in file.parts else "2 x 2"
    if file.name.startswith("test-"):
        assert table["shape"].values.tolist() == [shape]


def test_the_data_of_a_velox_file_are_listed_with_a_choice() -> None:
    path = FORMATS / "emd/fei_example_dpc_titles.emd"
    assert read_contents(path).sizes["row"] == 9
    with pytest.raises(ReadError, match=r"7: 'DF4-D', image, 2 x 2 uint16, axes y, x"):
        read_image(path)
    assert read_image(path, dataset="iDPC").dtype == np.float32
    with pytest.raises(ReadError, match=r'complex.*channel="magnitude"'):
        read_image(path, dataset="DPC")
    assert read_image(path, dataset="1", channel="phase").dtype == np.float32


def test_the_signals_of_prismatic_are_listed() -> None:
    path = FORMATS / "emd/Si100_2D_3D_DPC_potential_2slices.emd"
    assert read_contents(path)["shape"].values.tolist() == [
        "2 x 2 x 22 x 22", "2 x 22 x 22", "4 x 16 x 16", "2 x 18 x 22 x 22",
    ]  # fmt: skip
    assert read_movie(path, dataset="ppotential").shape == (4, 16, 16)


REFUSED = [
    ("imaging/graphene_si_aicr/G-Si-2nm-coord.npy", "pickled Python objects"),
    ("imaging/mos2_scilink/nanoparticles.json", "it is JSON text"),
    ("imaging/trackpy_examples/bulk_water/bulk_water_000.png", "it is a color picture"),
    ("spectral/raman_witec_map/nofilename (Header).txt", "git lfs pull"),
    ("imaging/atomap/tests/datasets/test_atom_lattice.hdf5", "'image_data0', image, 100 x 100"),
    ("spectral/trcl_ingan/GaAsSb_streak_image.hspy", "spectra, 269 x 672"),
    ("imaging/formats/pytemlib/AL-DFoffset0.00.dm3", "spectra, 2048 float32"),
]


@pytest.mark.parametrize(("path", "message"), REFUSED, ids=lambda text: Path(text).name)
def test_what_holds_no_image_is_refused_with_a_reason(path: str, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read_image(DATA / path)


def test_label_images_of_simulated_defects_have_two_values() -> None:
    folder = IMAGING / "stem_wsete_sim_stemlearning/simulated/0"
    for file in sorted(folder.glob("label_*.tiff")):
        labels = read_label_image(file)
        assert set(np.unique(labels.values)) == {0, 1}
        assert labels.attrs["legend"] == ["0", "255"]


def test_every_file_is_read_or_refused_by_one_error() -> None:
    files = [file for file in sorted(DATA.rglob("*")) if file.is_file()]
    assert len(files) > 400
    for file in files:
        try:
            table = read_contents(file)
        except ReadError as refusal:
            text = str(refusal)
        else:
            text = str(table.attrs["source"])
        assert file.name in text


@pytest.mark.parametrize(
    "path",
    [
        "digitalmicrograph/2D/multi_signal.dm3",
        "digitalmicrograph/2D/test-1.dm4",
        "mrc/HAADFscan.mrc",
        "emd/fei_example_dpc_titles.emd",
        "hspy/example2_v3.1.hspy",
        "tiff/olympus_SIS.tif",
    ],
)
def test_cut_off_instrument_files_give_data_or_one_error(path: str, tmp_path: Path) -> None:
    content = (FORMATS / path).read_bytes()
    rng = np.random.default_rng(5)
    damaged = tmp_path / Path(path).name
    refused = 0
    for share in np.append(rng.uniform(0, 1, 12), 0.999):
        damaged.write_bytes(content[: int(share * len(content))])
        try:
            read_image(damaged, dataset="0")
        except ReadError:
            refused += 1
    assert refused >= 10
