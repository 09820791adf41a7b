"""Small files of the formats that RosettaSciIO reads, written to their published layouts.

Every array holds counting numbers, so that a test can tell where each went.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr

Array = np.ndarray[Any, Any]

PATTERNS = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
"""Patterns of 4 x 4 px at 2 rows and 3 columns."""
MAP = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
"""Spectra of 5 channels at 2 rows and 3 columns."""
STACK = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
"""Two pictures of 3 rows and 4 columns."""
SPECTRUM = np.arange(6, dtype=np.float32) ** 2


def _written_by_rosetta(
    path: Path, plugin: str, values: Array, axes: list[tuple[str, str, float, float, bool]]
) -> Path:
    described = [
        {
            "_type": "UniformDataAxis",
            "name": name,
            "units": unit,
            "scale": scale,
            "offset": offset,
            "size": size,
            "index_in_array": number,
            "navigate": navigate,
            "is_binned": False,
        }
        for number, ((name, unit, scale, offset, navigate), size) in enumerate(
            zip(axes, values.shape, strict=True)
        )
    ]
    dictionary = {
        "data": values,
        "axes": described,
        "metadata": {
            "General": {"title": "written", "date": "2020-02-03", "time": "10:11:12"},
            "Signal": {"signal_type": "", "quantity": "Intensity (Counts)"},
        },
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
        "models": {},
        "package_info": {"package": "", "package_version": ""},
        "tmp_parameters": {},
    }
    import_module(f"rsciio.{plugin}").file_writer(str(path), dictionary)
    return path


_PICTURE_AXES = [("y", "nm", 0.5, 0.0, False), ("x", "nm", 0.25, 0.0, False)]


def write_hspy(folder: Path) -> Path:
    return _written_by_rosetta(folder / "small.hspy", "hspy", STACK[0], _PICTURE_AXES)


def write_zspy(folder: Path) -> Path:
    """Write a folder of zarr 2, as HyperSpy does."""
    path = folder / "small.zspy"
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs.update(file_format="ZSpy", file_format_version="3.3")
    signal = root.create_group("Experiments/written")
    signal.create_array("data", data=STACK[0])
    for number, (name, unit, scale, offset, navigate) in enumerate(_PICTURE_AXES):
        size = STACK.shape[number + 1]
        signal.create_group(f"axis-{number}").attrs.update(
            name=name, units=unit, scale=scale, offset=offset, size=size, navigate=navigate
        )
    signal.create_group("metadata/General").attrs["title"] = "written"
    signal.create_group("original_metadata")
    return path


def write_emd(folder: Path) -> Path:
    return _written_by_rosetta(folder / "small.emd", "emd", STACK[0], _PICTURE_AXES)


def write_nexus(folder: Path) -> Path:
    axes = [("z", "nm", 1.0, 0.0, True), *_PICTURE_AXES]
    return _written_by_rosetta(folder / "small.nxs", "nexus", STACK, axes)


def write_semper(folder: Path) -> Path:
    """Write a picture; RosettaSciIO puts the step of its first axis in DX, which is of columns."""
    values = STACK[0].astype(np.float32)
    return _written_by_rosetta(folder / "small.unf", "semper", values, _PICTURE_AXES[::-1])


def write_mrcz(folder: Path) -> Path:
    axes = [("z", "nm", 1.0, 0.0, True), *_PICTURE_AXES]
    return _written_by_rosetta(folder / "small.mrcz", "mrcz", STACK, axes)


def write_surface(folder: Path) -> Path:
    values = STACK[0].astype(np.int32)
    return _written_by_rosetta(folder / "small.sur", "digitalsurf", values, _PICTURE_AXES)


def write_mrc(folder: Path) -> Path:
    """Write a stack with pixels of 2 angstrom (mrc2014: cells in angstrom)."""
    sections, rows, columns = STACK.shape
    header = np.zeros(256, "<i4")
    header[:4] = columns, rows, sections, 1
    header[7:10] = columns, rows, sections
    header.view("<f4")[10:13] = 2.0 * columns, 2.0 * rows, 2.0 * sections
    header[16:19] = 1, 2, 3
    content = bytearray(header.tobytes())
    content[208:216] = b"MAP \x44\x44\x00\x00"
    path = folder / "small.mrc"
    path.write_bytes(bytes(content) + STACK.astype("<i2").tobytes())
    return path


def write_blockfile(folder: Path) -> Path:
    """Write patterns 2.5 nm apart, 40 px a cm, at 200 kV; six bytes go before each."""
    rows, columns, side, _ = PATTERNS.shape
    start = 0x1000
    head = struct.pack("<6sHIII", b"IMGBLO", 0x0102, start, start + rows * columns, 0)
    head += struct.pack("<5H", side, 0, columns, rows, 0)
    head += struct.pack("<ddIHId", 2.5, 2.5, 200_000, 4000, 1200, 42339.5)
    bright = PATTERNS.mean(axis=(2, 3)).astype(np.uint8).tobytes()
    frames = b"".join(
        b"\xaa\x55" + struct.pack("<I", number) + pattern.tobytes()
        for number, pattern in enumerate(PATTERNS.reshape(-1, side, side))
    )
    path = folder / "small.blo"
    path.write_bytes(head.ljust(start, b"\0") + bright + frames)
    return path


def write_edax(folder: Path) -> Path:
    """Write a map without the .spc and .ipr files that calibrate it."""
    rows, columns, channels = MAP.shape
    head = struct.pack("<16s3i5I", b"MAPSPECTRA_DATA\0", 1, rows * columns, columns, rows, channels,
                       1, 1080, 1)  # fmt: skip
    path = folder / "small.spd"
    path.write_bytes((head + b"picture.bmp").ljust(1080, b"\0") + MAP.tobytes())
    return path


EMPAD = np.arange(2 * 3 * 130 * 128, dtype="<f4").reshape(2, 3, 130, 128)
"""Frames of EMPAD, of which two rows are no pattern."""


def write_empad(folder: Path) -> Path:
    (folder / "scan_x3_y2.raw").write_bytes(EMPAD.tobytes())
    path = folder / "small.xml"
    path.write_text(
        '<?xml version="1.0"?><root><raw_file filename="scan_x3_y2.raw"/>'
        "<pix_x>3</pix_x><pix_y>2</pix_y>"
        '<timestamp isoformat="2019-06-07T08:09:10"/>'
        "<iom_measurements><calibrated_pixelsize>2e-11</calibrated_pixelsize>"
        "</iom_measurements></root>",
        encoding="utf-8",
    )
    return path


def write_mib(folder: Path) -> Path:
    """Write six frames of Merlin, bottom row first as the detector does, without the .hdr."""
    height, width = PATTERNS.shape[2:]
    frames = []
    for number, pattern in enumerate(PATTERNS.reshape(-1, height, width), 1):
        fields = ["MQ1", f"{number:06}", "00384", "01", f"{width:04}", f"{height:04}", "U08"]
        fields += ["   1x1", "01", "2021-05-07 16:51:10.905800928", "0.1", "0", "0", "0"]
        fields += ["2021-05-07T16:51:10.905800928Z", "100000000ns", "6", ""]
        frames.append(",".join(fields).encode().ljust(384, b"\0") + pattern[::-1].tobytes())
    path = folder / "small.mib"
    path.write_bytes(b"".join(frames))
    return path


def write_prz(folder: Path) -> Path:
    """Write a picture as PantaRhei 24.03 does, with metadata as JSON."""
    calibrations = [{"unit": "nm", "value": step, "offset": 0.0} for step in (0.25, 0.5)]
    about = json.dumps([{"type": "2D", "device.calib": calibrations, "repo_id": "written"}])
    path = folder / "small.prz"
    with path.open("wb") as file:
        np.savez_compressed(file, data=STACK[0], meta_data_json=about)
    return path


def write_ripple(folder: Path) -> Path:
    rows, columns, channels = MAP.shape
    (folder / "small.raw").write_bytes(MAP.tobytes())
    path = folder / "small.rpl"
    lines = ["key\tvalue", f"width\t{columns}", f"height\t{rows}", f"depth\t{channels}"]
    lines += ["offset\t0", "data-length\t1", "data-type\tunsigned", "byte-order\tdont-care"]
    lines += ["record-by\tvector", "ev-per-chan\t10", "depth-name\tEnergy", "depth-units\teV"]
    path.write_text("\n".join(lines) + "\n", encoding="latin-1")
    return path


_TVIPS_HEADER = "<13I204s"


def write_tvips(folder: Path) -> Path:
    """Write two pictures of a TVIPS recorder, with pixels of 7 nm."""
    sections, rows, columns = STACK.shape
    frame_header = 60
    head = struct.pack(_TVIPS_HEADER, 256, 2, columns, rows, 16, 0, 0, 1, 1, 7, 200, 5000,
                       frame_header, b"TVIPS " * 34)  # fmt: skip
    frames = b"".join(
        struct.pack("<4If2I5fI2f", number, 1_600_000_000, 0, 0, 0, 5000, 1, 0, 0, 0, 0, 0, number,
                    0, 0) + picture.astype("<u2").tobytes()
        for number, picture in enumerate(STACK)
    )  # fmt: skip
    assert sections == len(STACK)
    path = folder / "small_000.tvips"
    path.write_bytes(head + frames)
    return path


def write_hamamatsu(folder: Path) -> Path:
    """Write a streak image: 3 times in ns, 4 wavelengths in nm, tables after the picture."""
    picture = np.arange(12, dtype="<u2").reshape(3, 4)
    times, wavelengths = np.array([0, 0.5, 1.5], "<f4"), np.array([400, 402, 404, 406], "<f4")
    comment = ""
    # The comment holds addresses that follow from its own length.
    for _ in range(3):
        first = 64 + len(comment) + picture.nbytes
        comment = (
            '[Application],Date="20.01.2023",Time="11:28:55"\r\n[Acquisition],NrExposure=1,AcqMode=4\r\n'
            '[Streak camera],TimeRange="5 ns"\r\n'
            f'[Scaling],ScalingXType=2,ScalingXUnit="nm",ScalingXScalingFile="#{first:06},0004",'
            f'ScalingYType=2,ScalingYUnit="ns",ScalingYScalingFile="#{first + 16:06},0003"\r\n'
        )
    head = struct.pack("<2s6hihhd4s30s", b"IM", len(comment), 4, 3, 0, 0, 2, 0, 0, 0, 0.0, b"",
                       b"")  # fmt: skip
    path = folder / "small.img"
    tables = wavelengths.tobytes() + times.tobytes()
    path.write_bytes(head + comment.encode() + picture.tobytes() + tables)
    return path


def write_msa(folder: Path) -> Path:
    lines = ["#FORMAT      : EMSA/MAS Spectral Data File", "#VERSION     : 1.0",
             "#TITLE       : Written", "#DATE        : 03-FEB-2020", "#TIME        : 10:11",
             "#OWNER       : nobody", f"#NPOINTS     : {SPECTRUM.size}.", "#NCOLUMNS    : 1.",
             "#XUNITS      : eV", "#YUNITS      : Counts", "#DATATYPE    : Y",
             "#XPERCHAN    : 0.5", "#OFFSET      : 500.0", "#SIGNALTYPE  : ELS",
             "#BEAMKV   -kV: 100.0", "#SPECTRUM    : Spectral Data Starts Here"]  # fmt: skip
    lines += [f"{value:.1f}" for value in SPECTRUM]
    path = folder / "small.msa"
    path.write_text("\n".join([*lines, "#ENDOFDATA   : "]) + "\n", encoding="ascii")
    return path


def write_quadstar(folder: Path) -> Path:
    """Write two cycles over six masses, 3 s apart."""
    head = bytearray(0x100)
    struct.pack_into("<hiBB6B", head, 0, 0, 0, 1, 0, 5, 4, 3, 2, 1, 120)
    struct.pack_into("<i", head, 0x64, 2)
    struct.pack_into("<H", head, 0xCB, SPECTRUM.size - 1)
    content = bytes(head)
    for cycle in range(2):
        content += struct.pack("<IIBI", 3 * cycle, 0, 0xFB, 0)
        pairs = np.stack([np.arange(SPECTRUM.size) + 10, SPECTRUM + cycle], axis=1)
        content += pairs.astype("<f4").tobytes()
    path = folder / "small.sbc"
    path.write_bytes(content)
    return path


def write_jobinyvon(folder: Path) -> Path:
    """Write a map of 2 rows and 3 columns; wavenumbers fall, as LabSpec often stores them."""

    def node(name: str, *inner: str) -> str:
        return f'<LSX Format="9" ID="{name}" Size="{len(inner)}">{"".join(inner)}</LSX>'

    def leaf(name: str, text: str) -> str:
        return f'<LSX Format="7" ID="{name}">{text}</LSX>'

    def entry(name: str, *values: str) -> str:
        keys = ("0x7D6C61DB", "0x8736F70")
        return node("0x0", leaf("0x6D6D616E", name), *map(leaf, keys, values))

    def axis(number: str, name: str, unit: str, values: str) -> str:
        return node(number, leaf("0x6D707974", name), leaf("0x7C696E75", unit),
                    leaf("0x7D6CD4DB", values))  # fmt: skip

    settings = ("Objective", "Grating", "ND Filter", "Acq. time (s)", "Accumulations", "Hole")
    setup = [entry(name, "1", "1") for name in settings]
    setup += [entry("Laser (nm)", "633", "632.817"), entry("Spectro (nm)", "600", "600")]
    tree = node(
        "0x6C62D4D9",
        node("0x7CECDBD7", entry("Acquired", "27.06.2022 16:26:24")),
        node("0x8716361", *setup),
        node("0x7C73E2D2", entry("Sample", "quartz"), entry("Remark", "none")),
    )
    axes = node(
        "0x7A74D9D6",
        node("0x7B697861",
             node("0x0", leaf("0x6D707974", "Intens"), leaf("0x7C696E75", "Cnt")),
             axis("0x1", "Spectr", "1/cm", "500 400 300 200 100"),
             axis("0x2", "X", "\u00b5m", "0 2 4"), axis("0x3", "Y", "\u00b5m", "0 3")),
    )  # fmt: skip
    rows = "".join(
        f'<LSX_Row Format="5" Size="5">{" ".join(map(str, spectrum[::-1]))}</LSX_Row>'
        for spectrum in MAP.reshape(-1, 5).tolist()
    )
    title = leaf("0x6C7469D9", "Written") + leaf("0x6D707974", "SpIm")
    path = folder / "small.xml"
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?><LSX_Data>'
        f"<LSX_Tree>{title}{tree}{axes}</LSX_Tree><LSX_Matrix>{rows}</LSX_Matrix></LSX_Data>",
        encoding="utf-8",
    )
    return path


def write_dens(folder: Path) -> Path:
    columns = ["sample", "time", "Tset[C]", "Tmeas[C]", "Rheat[ohm]", "Vheat[V]", "Iheat[mA]",
               "Pheat [mW]", "c"]  # fmt: skip
    lines = [
        "15/04/'16 15:13\tDigiheater 3.1",
        "R0=1\ta=2\tb=3\tc=4",
        "delta_t=1",
        "\t".join(columns),
    ]
    lines += [f"{n}\t15:13:{10 + 2 * n}.0\t20\t{20 + n}\t1\t1\t1\t1\t0" for n in range(4)]
    path = folder / "small.dens"
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def write_impulse(folder: Path) -> Path:
    path = folder / "small_Synchronized data.csv"
    lines = ["TimeStamp,Experiment time,Temperature Measured (degC),Power (mW)"]
    lines += [f"10:11:1{n},{2.0 * n},{20 + n}.5,{n}.0" for n in range(5)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    log = "Experiment date,2020-02-03\nExperiment time,10:11:12\nLive notes,none\n"
    (folder / "small_Metadata.log").write_text(log, encoding="utf-8")
    return path


def write_protochips(folder: Path) -> Path:
    path = folder / "small.csv"
    lines = ["Time,Notes,Channel A Current,Channel A Voltage",
             ",Calibration file = none,,", ",Date (yyyy.mm.dd) = 2020.02.03,,",
             ",Time (hh:mm:ss.ms) = 10:11:12.000,,", ",Time units = Milliseconds,,",
             ",Current units = mA,,", ",Voltage units = V,,", ",User = nobody,,"]  # fmt: skip
    lines += [f"{500 * n + n * n},x,{n}.5,{2 * n}.25" for n in range(5)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def write_netcdf(folder: Path) -> Path:
    """Write a cube of EELSLab: energy first, since its axes are turned around."""
    from scipy.io import netcdf_file

    path = folder / "small.nc"
    rows, columns, channels = MAP.shape
    with netcdf_file(path, "w") as file:
        file.type = "spectrum"
        file.file_format_version = "EELSLab 0.1"
        for name, size in (("energy", channels), ("x", columns), ("y", rows)):
            file.createDimension(name, size)
        cube = file.createVariable("data_cube", "i2", ("energy", "x", "y"))
        cube[:] = MAP.T
        cube.energy_scale, cube.energy_origin, cube.energy_units = 0.5, 100.0, "eV"
        cube.x_scale, cube.y_scale, cube.x_units, cube.y_units = 2.0, 3.0, "nm", "nm"
    return path


def write_arina(folder: Path) -> Path:
    """Write four frames in two files beside their master."""
    frames = PATTERNS.reshape(-1, 4, 4)[:4].astype(np.uint32)
    path = folder / "small_master.h5"
    with h5py.File(path, "w") as master:
        group = master.create_group("entry/data")
        for number in (1, 2):
            name = f"small_data_{number:06}.h5"
            with h5py.File(folder / name, "w") as file:
                file["entry/data/data"] = frames[2 * number - 2 : 2 * number]
            group[f"data_{number:06}"] = h5py.ExternalLink(name, "/entry/data/data")
    with h5py.File(folder / "small.h5", "w") as file:
        file.create_group("STEM Metadata").attrs["Pixel Size"] = [0.5]
    return path


_IMAGE_ID = "39a4bbcd-2551-4912-9093-0eaed678dcff"
_SCAN_ID = "a0dba950-15bf-4a74-a81c-9cea8560c2c8"


def write_topspin(folder: Path) -> Path:
    """Write a scan of patterns and a picture; places in m, pixels of 3 nm, patterns in mrad."""
    calibration = "".join(
        f"<{name}><Offset>0</Offset><Scale>3e-9</Scale></{name}>" for name in ("X", "Y")
    )
    about = (
        "<ExperimentData><Id>written</Id><Specimen>gold</Specimen>"
        "<CreatedDateTime>02/03/2020 10:11:12</CreatedDateTime><ProcedureData><Item>"
        '<Name Serializer="String">Image</Name><Value Serializer="ImageDataSerializer">'
        f"<Id>{_IMAGE_ID}</Id><Calibration>{calibration}</Calibration></Value></Item>"
        "</ProcedureData></ExperimentData>"
    )
    axis = "<Offset>-1</Offset><Scale>0.5</Scale><Unit><Name/><Symbol>mrad</Symbol></Unit>"
    path = folder / "small.app5"
    with h5py.File(path, "w") as file:
        file["Metadata"] = about.encode()
        file[_IMAGE_ID] = STACK[0].astype(float)
        scan = file.create_group(_SCAN_ID)
        for number, pattern in enumerate(PATTERNS.reshape(6, 4, 4)):
            row, column = divmod(number, 3)
            place = f"<X>{3e-9 * column}</X><Y>{3e-9 * row}</Y>"
            frame = scan.create_group(str(number))
            frame["Data"] = pattern
            frame["Metadata"] = (
                f"<Frame><Calibration><X>{axis}</X><Y>{axis}</Y></Calibration>"
                f"<Scan><Position><Index/><Place>{place}</Place></Position></Scan></Frame>"
            ).encode()
    return path


def write_delmic(folder: Path) -> Path:
    """Write a map of Odemis: dims C, T, Z, Y, X; y points up, so the first row is the highest."""
    path = folder / "small.h5"
    with h5py.File(path, "w") as file:
        place = file.create_group("Acquisition0")
        image = place.create_group("ImageData")
        values = MAP.transpose(2, 0, 1)[:, None, None].astype(np.uint16)
        data = image.create_dataset("Image", data=values)
        for number, label in enumerate("CTZYX"):
            data.dims[number].label = label
        image["DimensionScaleC"] = np.array([400, 410, 420, 430, 450]) * 1e-9
        image["DimensionScaleX"], image["DimensionScaleY"] = 2e-7, 3e-7
        image["XOffset"], image["YOffset"], image["TOffset"] = 1e-6, 5e-6, 1.58e9
        about = place.create_group("PhysicalData")
        title = about.create_dataset("Title", data=b"Spectrum")
        title.attrs["State"] = np.array([113])
        about.create_dataset("ChannelDescription", data=[b"Spectrum"]).attrs["State"] = [113]
        svi = place.create_group("SVIData")
        svi["Company"], svi["WriterVersion"] = b"Delmic", b"3"
    return path


def write_zip(folder: Path) -> Path:
    """Write an archive of a text and of a Merlin measurement."""
    path = folder / "small.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first/readme.md", "Measured on a rainy day.")
        archive.write(write_mib(folder), "first/small.mib")
        archive.write(write_msa(folder), "second/small.msa")
    return path


ROSETTA_WRITERS: dict[str, Callable[[Path], Path]] = {
    "hspy": write_hspy,
    "zspy": write_zspy,
    "emd": write_emd,
    "mrc": write_mrc,
    "blo": write_blockfile,
    "delmic": write_delmic,
    "edax": write_edax,
    "empad": write_empad,
    "mib": write_mib,
    "mrcz": write_mrcz,
    "prz": write_prz,
    "ripple": write_ripple,
    "semper": write_semper,
    "tvips": write_tvips,
    "hamamatsu": write_hamamatsu,
    "jobinyvon": write_jobinyvon,
    "msa": write_msa,
    "quadstar": write_quadstar,
    "sur": write_surface,
    "dens": write_dens,
    "impulse": write_impulse,
    "protochips": write_protochips,
    "nexus": write_nexus,
    "netcdf": write_netcdf,
    "arina": write_arina,
    "topspin": write_topspin,
    "zip": write_zip,
}
