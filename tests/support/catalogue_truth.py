"""What the catalogue of the shared data says of every file: kind, shape, axes, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from adatom import io
from adatom.schema import (
    DIFFRACTION_MAP,
    FORCE_CURVES,
    IMAGE,
    MOVIE,
    SITES,
    SPECTRA,
    SPECTRAL_MAP,
    STRUCTURE,
    TABLE,
    Kind,
)

Ends = tuple[float, float, str]
"""First and last value of an axis in the unit of the house."""


class Opens(NamedTuple):
    """A file that opens."""

    pattern: str
    """Path, or a pattern of paths, below the folder of the data."""
    kind: Kind
    sizes: Mapping[str, int]
    ends: Mapping[str, Ends] = {}
    """Of axes that the catalogue gives; of y and x, the size of a pixel times (size - 1)."""
    settings: Mapping[str, Any] = {}
    reader: Any = io.read_data
    dtype: str = ""


class Refused(NamedTuple):
    """A file that is refused, with the reason."""

    pattern: str
    reason: str


def _space(step_y: float, step_x: float, rows: int, columns: int, unit: str) -> dict[str, Ends]:
    return {"y": (0.0, step_y * (rows - 1), unit), "x": (0.0, step_x * (columns - 1), unit)}


def image(
    pattern: str,
    rows: int,
    columns: int,
    step: float | tuple[float, float] | None = None,
    dtype: str = "",
    **settings: object,
) -> Opens:
    """Expect an image; `step` is the pixel in nm, none where the file has no scale."""
    y, x = (step, step) if isinstance(step, float | int) else step or (1.0, 1.0)
    unit = "px" if step is None else "nm"
    ends = _space(y, x, rows, columns, unit)
    reader = io.read_image if "channel" in settings else io.read_data
    return Opens(pattern, IMAGE, {"y": rows, "x": columns}, ends, settings, reader, dtype)


def movie(
    pattern: str,
    frames: int,
    rows: int,
    columns: int,
    step: float | None = None,
    **settings: object,
) -> Opens:
    """Expect a movie; `step` is the pixel in nm, none where the file has no scale."""
    unit = "px" if step is None else "nm"
    ends = _space(step or 1.0, step or 1.0, rows, columns, unit)
    sizes = {"frame": frames, "y": rows, "x": columns}
    reader = io.read_movie if settings else io.read_data
    return Opens(pattern, MOVIE, sizes, ends, settings, reader)


def spectral_map(
    pattern: str,
    rows: int,
    columns: int,
    channels: int,
    axis: Mapping[str, Ends],
    step: float | tuple[float, float] | None = None,
    **settings: object,
) -> Opens:
    """Expect a spectral map with a measured axis."""
    y, x = (step, step) if isinstance(step, float | int) else step or (1.0, 1.0)
    ends = {**_space(y, x, rows, columns, "px" if step is None else "nm"), **axis}
    (dim,) = axis
    sizes = {"y": rows, "x": columns, dim: channels}
    reader = io.read_spectral_map if settings else io.read_data
    return Opens(pattern, SPECTRAL_MAP, sizes, ends, settings, reader)


def spectra(
    pattern: str, sizes: Mapping[str, int], ends: Mapping[str, Ends] = {}, **settings: object
) -> Opens:
    """Expect spectra."""
    return Opens(pattern, SPECTRA, sizes, ends, settings, io.read_spectra)


def sites(pattern: str, n_sites: int, **settings: object) -> Opens:
    """Expect sites."""
    return Opens(pattern, SITES, {"site": n_sites}, {}, settings, io.read_sites)


def table(pattern: str, rows: int) -> Opens:
    """Expect a table."""
    return Opens(pattern, TABLE, {"row": rows}, reader=io.read_table)


def curves(pattern: str, n_curves: int) -> Opens:
    """Expect force curves."""
    return Opens(pattern, FORCE_CURVES, {"site": n_curves})


_RSCIIO = "imaging/formats/rsciio/rsciio/tests/data/"
_PICKLE = "pickled Python objects"
_METADATA = "JSON"

EXPECTED: tuple[Opens | Refused, ...] = (
    # Graphene and its defects.
    image("imaging/graphene_si_aicr/G-Si-2nm.hdf5", 256, 256, 2 / 256, "float64"),
    image("imaging/graphene_si_aicr/G-Si-2nm.npy", 256, 256, None, "float64"),
    image("imaging/graphene_si_aicr/G-GrainBoundary-4nm.hdf5", 512, 512, 4 / 512, "float32"),
    image("imaging/graphene_si_aicr/G-Si-4fold.hdf5", 512, 512, 2 / 512, "float64"),
    image("imaging/graphene_si_aicr/G-dimtrimSi/G-dimSi.hdf5", 512, 512, None, "float32"),
    Refused("imaging/graphene_si_aicr/*coord.npy", _PICKLE),
    Refused("imaging/graphene_si_aicr/history/*coord.npy", _PICKLE),
    Refused("imaging/graphene_defect_library/Si1C3-tensile_strain-DFT.npy", _PICKLE),
    # The library of defects and the patches have many files: tests of their own count them.
    Opens("imaging/graphene_defect_library/library_refined/*/*.hdf5", IMAGE, {}),
    Opens("imaging/stem_defect_patches/*/*.tif", IMAGE, {"y": 64, "x": 64}),
    # Pickles of dictionaries; test_coord_m.npy is a plain array (row, column, class).
    Refused("imaging/atomai_tests/predictors/test_data/test_coordinates.npy", _PICKLE),
    sites("imaging/atomai_tests/stat/test_data/test_coord_m.npy", 5896, columns="y, x, class"),
    Refused("imaging/atomai_tests/stat/test_data/test_[pin]*.npy", _PICKLE),
    Opens("imaging/atomai_tests/utils/test_data/POSCAR_*", STRUCTURE, {"atom": 2043}),
    # Dichalcogenides.
    image("imaging/ws2_janus_dyck/Fully*/*14_corrected.tif", 1024, 1024, None, "uint8"),
    image("imaging/ws2_janus_dyck/Partially*/*12_corrected.tif", 512, 512, 1 / 128, "uint8"),
    image("imaging/ws2_janus_dyck/Partially*/*[80]_corrected.tif", 1024, 1024, 1 / 128, "uint8"),
    image("imaging/mos2_scilink/MoS2_stem_Exp-000-2.npy", 512, 512, 9 / 512, "float64"),
    image("imaging/mos2_scilink/MoS2_stem_Exp-001-5.npy", 512, 512, 7 / 512, "float64"),
    Refused("imaging/mos2_scilink/*.json", _METADATA),
    image("imaging/stem_wsete_sim_stemlearning/simulated/0/*.tiff", 1024, 1024, None, "uint8"),
    Opens("imaging/stm_wse2_mlstm/*.jpg", IMAGE, {}),
    sites("imaging/stm_wse2_mlstm/annotations.csv", 550),
    sites("imaging/stm_wse2_mlstm/annotations.json", 612),
    image("imaging/symmetrynet_mowse2/*.tif", 319, 329, None, "uint8"),
    # Oxides and other crystals.
    image("imaging/atomap/history/STO_ADF.hdf5", 999, 1012, None, "float32"),
    image("imaging/atomap/tests/datasets/test_A?F_cropped.hdf5", 400, 380, None, "float32"),
    image("imaging/atomap/tests/datasets/test_atom_lattice.hdf5", 100, 100, dataset="image_data0"),
    image("imaging/atomap/example_data/simulated_nanoparticle.hspy", 220, 300, None, "uint16"),
    image("imaging/atomap/example_data/example_detector_image.hspy", 512, 512, 31.03647, "uint16"),
    movie("imaging/abf_stack_hyperspydemos/*.hspy", 5, 512, 512, 0.0092),
    image("imaging/temul/*/*/*/Cropped_PTO-SRO_Aligned.hspy", 224, 1312, 0.014997, "float64"),
    sites("imaging/temul/*/atom_positions1.npy", 465, columns="x, y"),
    image("imaging/temul/*/Au_NP_Atom_Lattice.hdf5", 479, 504, None, "float64",
          dataset="image_data0"),
    image("imaging/temul/*/example_Cu_nanoparticle_sim.hspy", 434, 434, 1.0, "float32"),
    image("imaging/singleorigin/BSSN_DPC_images/*.tif", 1364, 1368, None, "uint16"),
    Opens("imaging/singleorigin/BSSN5137.cif", STRUCTURE, {}),
    movie("imaging/movte_scilink/*components.npy", 4, 96, 96),
    movie("imaging/movte_scilink/*abundances.npy", 4, 61, 61),
    Refused("imaging/movte_scilink/oxide_catalyst.json", _METADATA),
    image("imaging/scilink_misc/GH_stm.tif", 1423, 1423, None, "uint16"),
    Refused("imaging/scilink_misc/*.json", _METADATA),
    image("imaging/stem_misc_aistem/673K.tif", 512, 512, None, "uint8"),
    image("imaging/stem_misc_aistem/Cu2Te.tif", 1024, 1024, None, "uint8"),
    image("imaging/stem_misc_aistem/SrTiO3.jpg", 1024, 1024, None, "uint8"),
    image("imaging/stem_misc_aistem/LLTO.jpg", 512, 512, None, "uint8"),
    # Movies and trajectories.
    movie("imaging/si_moving_movies/moving-Si-1.mp4", 30, 256, 256, channel="red"),
    movie("imaging/trackpy_tests/water/bulk-water.mov", 480, 424, 640, channel="red"),
    image("imaging/trackpy_tests/video/image_sequence/*.png", 424, 640, None, "uint8"),
    image("imaging/trackpy_tests/wire/*.npy", 256, 256, None, "uint8"),
    sites("imaging/trackpy_tests/data/*.npz", 366, dataset="arr_2", columns="y, x"),
    image("imaging/trackpy_examples/bulk_water/*.png", 424, 640, None, "uint8", channel="red"),
    movie("imaging/brownian_laptrack/bright_spots_data/*.npz", 10, 80, 80),
    movie("imaging/tem_au_growth/*.tif", 7, 800, 650),
    # Probes.
    movie("imaging/hsafm_playnano/asd_sample_0.asd", 32, 200, 200, 0.5),
    image("imaging/afm_dna_topostats/minicircle_*flattened.npy", 256, 256, None, "float64"),
    image("imaging/afm_dna_topostats/minicircle_*masks_*.npy", 256, 256),
    image("imaging/afm_dna_topostats/dnatracing_*.npy", 152, 138),
    image("imaging/afm_nanolocz/Example Data/Rotate test.tif", 658, 658, None, "float32"),
    image("imaging/afm_particle_detect/noisey particles.tif", 400, 400, None, "float32"),
    image("imaging/afm_particle_detect/ground truth.tif", 400, 400, None, "float32"),
    image("imaging/afm_particle_detect/Liquorice test.tif", 140, 380, None, "uint8"),
    image("imaging/stm_molecules_stemlearning/CoMTPP/0/*.tif", 738, 738),
    image("imaging/stm_molecules_stemlearning/CuPcCl/original/0/*.tif", 529, 417),
    image("imaging/stm_molecules_stemlearning/CuPcCl_CoMTPP/combined/*.tif", 529, 834),
    image("imaging/stm_sxm_pynxtools/STM_nanonis_generic_4_5.sxm", 256, 256, 4 / 256),
    image("imaging/stm_afm_spmimages/demo/Image_445.sxm", 192, 96, 4 / 192),
    image("imaging/stm_afm_spmimages/test/01581.sxm", 80, 160, 4.6 / 160),
    image("imaging/afm_afmreader/sample_1_um_scale.top", 512, 512, 2000 / 512),
    image("imaging/afm_pfm_dtmicroscope/data/AFM/PMN28Pt0001.h5", 256, 256, 2000 / 256,
          dataset="0"),
    image("imaging/formats/ibw/PTO_LAST0003.ibw", 256, 256, 2000 / 256),
    Opens("imaging/formats/pycroscopy/data/SingFreqPFM_0003.gwy", IMAGE, {"y": 128, "x": 128}, {},
          {"dataset": "0"}),
    # Formats of electron microscopes.
    Opens(_RSCIIO + "digitalmicrograph/2D/test-3.dm?", IMAGE, {"y": 2, "x": 2}, {},
          {"channel": "phase"}, io.read_image),
    Opens(_RSCIIO + "digitalmicrograph/2D/test-[169].dm?", IMAGE, {"y": 2, "x": 2}),
    Opens(_RSCIIO + "digitalmicrograph/2D/test-10.dm?", IMAGE, {"y": 2, "x": 2}),
    Opens(_RSCIIO + "digitalmicrograph/2D/test-23.dm?", IMAGE, {"y": 2, "x": 2}, {},
          {"channel": "red"}, io.read_image),
    image(_RSCIIO + "digitalmicrograph/2D/multi_signal.dm3", 512, 512, 0.01775, "uint16"),
    Opens(_RSCIIO + "digitalmicrograph/2D/test_fft_packed_complex8.dm4", IMAGE, {}, {},
          {"channel": "magnitude"}, io.read_image),
    Opens(_RSCIIO + "digitalmicrograph/3D/test-3.dm?", MOVIE, {"frame": 2, "y": 2, "x": 2}, {},
          {"channel": "phase"}, io.read_movie),
    Opens(_RSCIIO + "digitalmicrograph/3D/*.dm?", MOVIE, {"frame": 2, "y": 2, "x": 2}),
    image(_RSCIIO + "digitalsurf/test_surface.sur", 128, 128, 83.0),
    Opens(_RSCIIO + "blockfile/test1.blo", DIFFRACTION_MAP, {"y": 3, "x": 2, "k_y": 144,
          "k_x": 144}),
    image(_RSCIIO + "emd/example_image.emd", 3, 3),
    movie(_RSCIIO + "emd/Si100_2D_3D_DPC_potential_2slices.emd", 4, 16, 16, 0.339375,
          dataset="ppotential"),
    image(_RSCIIO + "emd/fei_example_dpc_titles.emd", 2, 2, 0.09962, dataset="iDPC"),
    Opens(_RSCIIO + "emd/velox_emd_version11.zip", IMAGE, {"y": 16, "x": 16}, {},
          {"dataset": "Test SI 16x16 215 kx.emd: HAADF"}),
    spectra(_RSCIIO + "hspy/example1_v1.2.hdf5", {"site": 1, "energy": 21},
            {"energy": (520.13, 520.13 + 20 * 3.1, "eV")}),
    image(_RSCIIO + "hspy/example2_v3.1.hspy", 16, 16, None, "int32"),
    image(_RSCIIO + "mrc/HAADFscan.mrc", 16, 16, 5.68, "uint16"),
    Opens(_RSCIIO + "tiff/olympus_SIS.tif", IMAGE, {"y": 101, "x": 112}, {},
          {"dataset": "1"}, io.read_image),
    image(_RSCIIO + "tiff/test_dm_image_um_unit.dm3", 68, 68, 168.7, "int32"),
    image(_RSCIIO + "tiff/test_loading_image_saved_with_DM.tif", 68, 68, 168.7, "int32"),
    movie(_RSCIIO + "tiff/test_loading_image_saved_with_imageJ_stack.tif", 2, 68, 68, 168.7),
    spectra("imaging/formats/pytemlib/AL-DFoffset0.00.dm3", {"site": 1, "energy": 2048},
            {"energy": (-3.61, -3.61 + 2047 * 0.0201, "eV")}),
    # Optical hyperspectral: which axis is what is not in the file; the catalogue's shapes.
    spectra("spectral/samson/samson_dataset.mat", {"site": 156, "channel": 9025}, dataset="Y"),
    spectra("spectral/samson/spectral_library_samson.mat", {"site": 156, "channel": 105},
            dataset="A"),
    spectra("spectral/urban_library/spectral_library_urban.mat", {"site": 162, "channel": 651},
            dataset="A"),
    spectra("spectral/moffett/Moffett_vca.mat", {"site": 2500, "channel": 189}, dataset="Y"),
    # Electron and X-ray spectroscopy, cathodoluminescence.
    spectral_map("spectral/eels_cuzn/CuZn_EELS_mapping_tutorial.hspy", 50, 40, 162,
                 {"energy": (700, 1988, "eV")}, 0.921386),
    image("spectral/eels_cuzn/CuZn_HAADF.hspy", 50, 40, 0.921386, "uint16"),
    spectral_map("spectral/eels_dm3_si/DMReader_SpectrumImage_SI-EELS.dm3", 49, 6, 1024,
                 {"energy": (350, 861.5, "eV")}),
    image("spectral/eels_dm3_si/DMReader_SI-HAADF.dm3", 1568, 192, None, "float32"),
    image("spectral/eels_dm3_si/DMReader_Image_SI-Survey.dm3", 512, 512, None, "uint32"),
    spectral_map("spectral/eds_bcf_50x50/bcf_v2_50x50px.bcf", 50, 50, 2048,
                 {"energy": (-473, -473 + 2047 * 9.996, "eV")}, 11.8),
    spectral_map("spectral/eds_velox_si/EMDReader_SpectrumImage_Si.emd", 16, 16, 4096,
                 {"energy": (-1000, 39950, "eV")}, 5.30),
    spectral_map("spectral/cl_lumispy/asymmetric_peak_map.hspy", 16, 30, 334,
                 {"wavelength": (530.8, 530.8 + 333 * 0.819, "nm")}, 40.0),
    spectral_map("spectral/cl_lumispy/nanoparticles.hspy", 15, 20, 507,
                 {"wavelength": (229.4, 229.4 + 506 * 1.066, "nm")}, 61.3),
    spectral_map("spectral/trcl_ingan/InGaN_transient_map.hspy", 30, 30, 525,
                 {"time": (2.4, 4.496, "ns")}, 46.8),
    spectra("spectral/trcl_ingan/GaAsSb_streak_image.hspy", {"time": 269, "wavelength": 672},
            {"time": (0, 268 * 0.00119, "ns"), "wavelength": (834.28, 834.28 + 671 * 0.1354,
                                                              "nm")}),
    spectra("spectral/trcl_ingan/AlN_HR_streak_image.hspy", {"time": 217, "wavelength": 220}),
    # Raman and infrared.
    spectra("spectral/raman_thp1_cell/*.mat", {"site": 1600, "wavenumber": 500},
            {"wavenumber": (501, 1802, "1/cm")}),
    spectral_map("spectral/raman_wdf_map2/renishaw_test_map2.wdf", 20, 20, 1015,
                 {"wavelength": (326, 412, "nm")}, 1000.0),
    table("spectral/raman_witec_map/Witec-Map-x.dat", 1024),
    table("spectral/raman_witec_map/Witec-Map-y.dat", 25600),
    spectral_map("spectral/raman_witec_map/Witec-Map_full.txt", 5, 5, 1024,
                 {"wavenumber": (88, 2821, "1/cm")}),
    # Without its row of units it does not say that they are 1/cm.
    spectral_map("spectral/raman_witec_map/Witec-Map_label.txt", 5, 5, 1024,
                 {"channel": (88, 2821, "1")}),
    Refused("spectral/raman_witec_map/nofilename (Header).txt", "git lfs pull"),
    spectra("spectral/nanoir_anasys/PEA_BDA_film.axz", {"site": 5}),
    # Probe spectroscopy.
    spectral_map("spectral/sts_grid_nanonis/NanonisReader_STS_grid_lockin.3ds", 30, 30, 200,
                 {"bias": (-0.22, 0.22, "V")}, 5 / 30, dataset="LockinX"),
    spectral_map("spectral/beps_pto/BEPS_PTO_50x50.h5", 50, 50, 64, {"bias": (0, -0.531, "V")},
                 2000 / 49),
    curves("spectral/fd_jpk_maps/fmt-jpk-fd_map1d_2016-11-07.jpk-force-map", 8),
    curves("spectral/fd_jpk_maps/fmt-jpk-fd_map2x2_extracted.jpk-force-map", 4),
    curves("spectral/fd_jpk_maps/fmt-jpk-fd_map-data-reference-points.jpk-force-map", 3),
    curves("spectral/fd_jpk_maps/fmt-jpk-fd_map_bad_2013-05-27_?.jpk-force-map", 1),
    curves("spectral/fd_jpk_maps/fmt-jpk-fd_2020.02.07-16.29.05.036.jpk-qi-data", 4),
    curves("spectral/fd_jpk_maps/fmt-jpk-fd_qi-data-2021.04.13.jpk-qi-series", 1),
    curves("spectral/fd_jpk_maps/fmt-afm-workshop-fd_mapping_16_2018-08-01_13.07.zip", 16),
    # 64 files of different sweeps: a test of their own counts them.
    spectra("spectral/omicron_stm/OmicronPerseiReader.zip", {"bias": 200}, dataset="0"),
    # Masses.
    spectral_map("spectral/msi_imzml_example/Example_*.i*", 3, 3, 8399,
                 {"mass_to_charge": (100.08, 799.92, "Da")}, 100e3),
    spectral_map("spectral/msi_metaspace_tiny/*.i*", 4, 2, 24811,
                 {"mass_to_charge": (156.5, 2637.5, "Da")}, mass_tolerance="0.1 Da"),
    spectral_map("spectral/msi_matrixtests/*.i*", 4, 1, 19501,
                 {"mass_to_charge": (50, 2000, "Da")}, mass_tolerance="0.1 Da"),
    # Composition spreads, diffraction.
    spectra("spectral/combi_alfelio/alfeli.npy", {"site": 231, "channel": 650}),
    table("spectral/combi_alfelio/sol.csv", 231),
    Opens("spectral/combi_alfelio/sticks.csv", TABLE, {}, reader=io.read_table),
    table("spectral/combi_alfelio/composition_derived.csv", 231),
    spectra("spectral/combi_ta2o5/Test_Ta2O5_XRD_map.npy", {"site": 902, "channel": 201}),
    spectra("spectral/combi_ta2o5/Test_Ta2O5_Q.npy", {"site": 1, "channel": 902}),
    image("spectral/4dstem_pyxem_amorphous/Amorphous.hspy", 512, 512, None, "int64"),
    spectra("spectral/4dstem_pyxem_amorphous/amorphousSiO2.hspy", {"site": 1, "channel": 2538}),
    # One of every reader.
    Opens("spectral/readers/test_hyperspectral.h5", SPECTRAL_MAP, {"y": 4, "x": 4,
          "wavelength": 512}),
    Opens("spectral/readers/sparc-time-correlator.h5", SPECTRAL_MAP, {"time": 65536},
          {"time": (-100, 162, "ns")}),
    Opens("spectral/readers/test1.blo", DIFFRACTION_MAP, {"y": 3, "x": 2, "k_y": 144,
          "k_x": 144}),
    Opens("spectral/readers/Merlin_navigation4x2_ROI.zip", DIFFRACTION_MAP, {}, {},
          {"dataset": "0"}),
    spectral_map("spectral/readers/16x16-spectrum_image_5x5x4000-not_square_1.ser", 5, 5, 4000,
                 {"energy": (0, 19995, "eV")}, (4.26, 1.99)),
    spectra("spectral/readers/renishaw_test_linescan.wdf", {"site": 5, "wavelength": 40},
            {"x": (0, 4 * 30e3, "nm")}),
    spectra("spectral/readers/focus_mode.img", {"site": 512, "wavelength": 672}),
    Opens("spectral/readers/SE_Scan_64_64.sur", IMAGE, {"y": 1024, "x": 1024}, dtype="int32"),
    Opens("spectral/readers/signal1d_10x100-model.zspy", SPECTRA, {"site": 10}),
    spectra("spectral/readers/EDS_TEM_FePt_nanoparticles.hspy", {"site": 1, "energy": 992}),
    image("spectral/readers/Au_mica_2023_Y_A_diPAMY_195.sxm", 256, 256, 4 / 256),
    spectra("spectral/readers/NanonisReader_BiasSpectroscopy.dat", {"bias": 256}, dataset="0"),
    Opens("spectral/readers/GwiddionReader_chip.gwy", IMAGE, {}, {}, {"dataset": "0"}),
    curves("spectral/readers/BrukerReader_ForceCurve_Sapphire_TAP525.001", 1),
    image("spectral/readers/IgorIBWReader_ImageStack_BTFO_DSO.ibw", 256, 256, 2000 / 256),
    curves("spectral/readers/fmt-igor-fd_U3_3_p10004.ibw", 1),
    curves("spectral/readers/force-save-example.jpk-force", 1),
    spectra("spectral/readers/paracetamol.rda", {"site": 1, "wavenumber": 4064}),
)  # fmt: skip
"""Checked in this order; the first that fits a path counts."""
