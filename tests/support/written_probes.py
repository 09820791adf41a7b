"""Small files of scanning probes, written to the published layouts without adatom's readers."""

from __future__ import annotations

import base64
import gzip
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Array = np.ndarray[Any, Any]
# Like none of its mirror images; 3 rows of 4.
PICTURE: Array = (np.arange(12.0).reshape(3, 4) ** 2).astype(np.float32)


def write_asd(
    folder: Path,
    *,
    version: int = 1,
    channels: tuple[bytes, ...] = (b"TP",),
    counts: Array | None = None,
    voltage_range: int = 0x40000,
) -> Path:
    """Write 2 frames a channel of 3 x 4 counts, all frames of the first channel first."""
    codes = (*channels, b"\0\0")[:2]
    movie = np.arange(24).reshape(2, 3, 4) if counts is None else counts
    n, rows, columns = movie.shape
    name, comment = b"Somebody", "\u30df\u30ab".encode("cp932")
    # 2.0 nm/V and a gain of 5; 12 bits; 500 ms a frame; 8 x 6 nm.
    if version == 0:
        middle = struct.pack("<4h3fIi?ih", columns, rows, 8, 6, 500.0, 2.0, 5.0,
                             voltage_range, 12, True, 1, 0)  # fmt: skip
        middle += struct.pack("<h6B2f12x3ih", 2017, 11, 21, 13, 12, 39, 3, 1e3, 1e3, n, n, 7, 1)
        last = struct.pack("<2fi", 0.5, 1.5, 0)
        size = 4 + 4 + 20 + len(middle) + len(name) + len(last) + len(comment)
        first = struct.pack("<i2s2s5i", 0, *codes, size, 32, len(name), 0, len(comment))
        head = first + middle + name + last + comment
    else:
        body = struct.pack("<8i?9i3fi12xi", n, n, 0, 1, columns, rows, 8, 6, True,
                           1, 2017, 11, 21, 13, 12, 39, 3, 3, 500.0, 0.5, 1.5, 0, 7)  # fmt: skip
        body += struct.pack("<Ii6f", voltage_range, 12, 1e3, 1e3, 1.0, 1.0, 2.0, 5.0)
        size = 32 + len(body) + len(name) + len(comment)
        first = struct.pack("<6i", version, size, 32, 932, len(name), len(comment))
        head = first + b"".join(code.ljust(4, b"\0") for code in codes) + body + name + comment
    frames = [
        struct.pack("<i4h2f?bhii", k + 1, 0, 0, 0, 0, 0, 0, False, 0, 0, 0, 0)
        + (frame + 100 * place).astype("<i2").tobytes()
        for place in range(len(channels))
        for k, frame in enumerate(movie)
    ]
    path = folder / "movie.asd"
    path.write_bytes(head + b"".join(frames))
    return path


SXM_CHANNELS = (("Z", "m"), ("Current", "A"))


def write_sxm(
    folder: Path,
    *,
    direction: str = "down",
    channels: Sequence[tuple[str, str]] = SXM_CHANNELS,
    blocks: Sequence[Array] | None = None,
    shape: tuple[int, int] = (3, 4),
) -> Path:
    """Write blocks as recorded: for every channel the way there, then the way back."""
    rows, columns = shape
    table = "\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n" + "".join(
        f"\t{n}\t{name}\t{unit}\tboth\t1.0E+0\t0.0E+0\n" for n, (name, unit) in enumerate(channels)
    )
    sections = {
        "NANONIS_VERSION": "2",
        "SCANIT_TYPE": "              FLOAT            MSBFIRST",
        "REC_DATE": " 31.03.2023",
        "REC_TIME": "14:38:44",
        "SCAN_PIXELS": f"       {columns}       {rows}",
        "SCAN_RANGE": "           8.0E-9           6.0E-9",
        "SCAN_ANGLE": "            5.9E+1",
        "SCAN_DIR": direction,
        "BIAS": "            5.0E-2",
        "Z-CONTROLLER": "\tName\ton\tSetpoint\n\tlog Current\t1\t5.0E-10 A",
        "COMMENT": "CO on Cu(111)",
        "DATA_INFO": table,
        "SCANIT_END": "\n",
    }
    head = "".join(f":{name}:\n{text}\n" for name, text in sections.items())
    stored = blocks or [PICTURE * 1e-10 + n for n in range(2 * len(channels))]
    path = folder / "scan.sxm"
    numbers = b"".join(np.asarray(one).astype(">f4").tobytes() for one in stored)
    path.write_bytes(head.encode("latin-1") + b"\x1a\x04" + numbers)
    return path


def write_3ds(
    folder: Path,
    *,
    values: Array | None = None,
    extra: Sequence[str] = (),
    ends: tuple[float, float] = (-1.0, 1.0),
    n_pixels: int = 6,
) -> Path:
    """Write a grid of 2 lines of 3 pixels, the lower line first, 5 points of 2 channels."""
    lines = [
        'Grid dim="3 x 2"',
        "Grid settings=1.0E-8;2.0E-8;6.0E-9;4.0E-9;4.5E+1",
        'Sweep Signal="Bias (V)"',
        'Fixed parameters="Sweep Start;Sweep End"',
        'Experiment parameters="X (m);Y (m);Z (m)"',
        "# Parameters (4 byte)=5",
        "Experiment size (bytes)=40",
        "Points=5",
        'Channels="Current (A);LIX 1 omega (V) [bwd]"',
        'Start time="04.06.2016 20:13:23"',
        *extra,
        ":HEADER_END:",
    ]
    spectra = np.arange(60.0).reshape(6, 2, 5) if values is None else values
    pixels = [
        np.concatenate([[*ends, 1e-9 * k, 0, 1e-10 * k], spectra[k].ravel()]) for k in range(6)
    ]
    path = folder / "grid.3ds"
    body = b"".join(one.astype(">f4").tobytes() for one in pixels[:n_pixels])
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode() + body)
    return path


def point_text(
    *,
    experiment: str = "bias spectroscopy",
    sweep: str = "Bias calc (V)",
    start: float = -1.0,
    place: tuple[str, str] = ("1.5E-6", "2.5E-6"),
    rows: int = 5,
) -> str:
    """Give the text of one point spectroscopy of Nanonis."""
    head = {
        "Experiment": experiment,
        "Date": "07.07.2020 15:01:50",
        "User": "",
        "X (m)": place[0],
        "Y (m)": place[1],
        "Bias>Bias (V)": "510E-3",
    }
    names = (sweep, "Current (A)", "Phase (deg)", "Current [bwd] (A)")
    lines = [f"{name}\t{text}\t" for name, text in head.items()]
    lines += ["", "[DATA]", "\t".join(names)]
    lines += [f"{start + k:.5E}\t{k}E-9\t7\t{-k}E-9" for k in range(rows)]
    return "\n".join(lines) + "\n"


def write_dat(folder: Path, **settings: Any) -> Path:
    """Write the columns of a bias sweep."""
    path = folder / "Bias-Spectroscopy001.dat"
    path.write_text(point_text(**settings))
    return path


def write_zip_of_dat(folder: Path) -> Path:
    """Write what macOS makes of a session: three sweeps of two axes, one empty, and litter."""
    path = folder / "session.zip"
    z: dict[str, Any] = {"experiment": "Z spectroscopy", "sweep": "Z rel (m)"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("day/Z001.dat", point_text(**z, place=("1E-9", "2E-9")))
        archive.writestr("day/Z002.dat", point_text(**z, start=3.0))
        archive.writestr("day/Z003.dat", point_text(**z, place=("3E-9", "4E-9")))
        archive.writestr("day/Z004.dat", point_text(**z, rows=0))
        archive.writestr("__MACOSX/day/._Z001.dat", b"\0\5\x16\7")
        archive.writestr("day/comments.txt.txt", "tuning fork")
    return path


def write_wsxm(
    folder: Path,
    *,
    kind: str = "short",
    amplitude: str = "    Z Amplitude: 24.2 nm\r\n",
) -> Path:
    """Write an image as WSxM does: from its last pixel to its first."""
    body = (
        "\r\n[Control]\r\n\r\n    Topography Bias: 250 mV\r\n    X Amplitude: 2 \xb5m\r\n"
        "    Y Amplitude: 900 nm\r\n\r\n[General Info]\r\n\r\n"
        "    Acquisition channel: Topography\r\n    Acquisition time: 14/05/2025, 16:30:58.167\r\n"
        f"    Image Data Type: {kind}\r\n    Number of columns: 4\r\n    Number of rows: 3\r\n"
        f"{amplitude}\r\n[Header end]\r\n"
    )
    first = "WSxM file copyright UAM\r\nSxM Image file\r\nImage header size: "
    size = len(first) + len("1000\r\n") + len(body)
    head = f"{first}{size:04d}\r\n{body}".encode("latin-1")
    numbers = PICTURE[::-1, ::-1].astype("<i2" if kind == "short" else "<f8")
    path = folder / "image.top"
    path.write_bytes(head + numbers.tobytes())
    return path


def write_ibw(
    folder: Path,
    *,
    layers: Sequence[str] = ("HeightRetrace", "PhaseRetrace"),
    note: str = "ScanSize: 6e-09\rMicroscopeModel:Cypher\rDate:2020-10-25\rTime:8:07:36 AM\r",
    order: str = "<",
    unlabelled: int = 0,
) -> Path:
    """Write a wave of version 5: x runs fastest, then y from below, then layers."""
    count = unlabelled or len(layers)
    stored = np.stack([PICTURE[::-1] + 1000 * k for k in range(max(count, 1))]).astype(f"{order}f4")
    labels = b"".join(name.encode().ljust(32, b"\0") for name in ("", *layers)) if layers else b""
    shape = (4, 3, count) if count else (4, 3, 0)
    text = note.encode("latin-1")
    wave = struct.pack(f"{order}4xIIih", 0, 0, stored.size, 2).ljust(28, b"\0")
    wave += b"image".ljust(32, b"\0") + bytes(8)
    wave += struct.pack(f"{order}4i", *shape, 0)
    wave += struct.pack(f"{order}4d", 2e-9, 2e-9, 1, 1) + bytes(32)
    wave += b"m\0\0\0" * 3 + bytes(8)
    wave = wave.ljust(320, b"\0")
    sizes = (stored.nbytes + 320, 0, len(text), 0, 0, 0, 0, 0, 0, 0, len(labels), 0)
    head = struct.pack(f"{order}hh12i", 5, 0, *sizes).ljust(64, b"\0") + wave
    total = sum(struct.unpack(f"{order}192h", head)) & 0xFFFF
    check = struct.pack(f"{order}H", -total & 0xFFFF)
    path = folder / "image.ibw"
    path.write_bytes(head[:2] + check + head[4:] + stored.tobytes() + text + labels)
    return path


def _gwy(name: str, letter: str, value: bytes) -> bytes:
    return name.encode() + b"\0" + letter.encode() + value


def _gwy_object(kind: str, *components: bytes) -> bytes:
    body = b"".join(components)
    return kind.encode() + b"\0" + struct.pack("<I", len(body)) + body


def _gwy_field(unit: str, coding: str) -> bytes:
    def of_unit(text: str) -> bytes:
        return _gwy_object("GwySIUnit", _gwy("unitstr", "s", text.encode(coding) + b"\0"))

    return _gwy_object(
        "GwyDataField",
        _gwy("xres", "i", struct.pack("<i", 4)),
        _gwy("yres", "i", struct.pack("<i", 3)),
        _gwy("xreal", "d", struct.pack("<d", 8e-6)),
        _gwy("yreal", "d", struct.pack("<d", 6e-6)),
        _gwy("si_unit_xy", "o", of_unit("m" if coding == "utf-8" else "\xb5m")),
        _gwy("si_unit_z", "o", of_unit(unit)),
        _gwy("data", "D", struct.pack("<I", 12) + PICTURE.astype("<f8").tobytes()),
    )


def write_gwy(folder: Path) -> Path:
    """Write two channels, the second with a mask, and a graph."""
    body = _gwy_object(
        "GwyContainer",
        _gwy("/0/data", "o", _gwy_field("m", "utf-8")),
        _gwy("/0/data/title", "s", b"Height\0"),
        _gwy("/0/data/visible", "b", b"\1"),
        _gwy("/3/data", "o", _gwy_field("deg", "utf-8")),
        _gwy("/3/data/title", "s", b"Phase\0"),
        _gwy("/3/mask", "o", _gwy_field("", "utf-8")),
        _gwy("/0/meta", "o", _gwy_object("GwyContainer", _gwy("Operator", "s", b"A B\0"))),
        _gwy("/0/graph/graph/1", "o", _gwy_object("GwyGraphModel")),
        _gwy("/filename", "s", b"x.gwy\0"),
    )
    path = folder / "image.gwy"
    path.write_bytes(b"GWYP" + body)
    return path


def write_old_gwy(folder: Path) -> Path:
    """Write one channel in the layout before Gwyddion 1.0, with types of GLib in containers."""

    def entry(number: int, name: str, value: bytes) -> bytes:
        return struct.pack("<I", number) + name.encode() + b"\0" + value

    body = _gwy_object(
        "GwyContainer",
        entry(64, "/0/base/palette", b"Blue\0"),
        entry(80, "/0/data", _gwy_field("nm", "latin-1")),
        entry(60, "/0/base/min", struct.pack("<d", 1.5)),
        entry(20, "/0/shown", b"\1"),
    )
    path = folder / "old.gwy"
    path.write_bytes(b"GWYO" + body)
    return path


def write_spm(
    folder: Path,
    *,
    bytes_each: int = 2,
    size: str = "\\Scan Size: 8 6 ~m",
    soft: str = "\\@Sens. Zsens: V 20.0 nm/V",
) -> Path:
    """Write a height and a phase of NanoScope 8, the lowest line first."""
    count, first = 12 * bytes_each, 4096

    def image(number: int, name: str, scale: str) -> list[str]:
        return [
            "\\*Ciao image list",
            f"\\Data offset: {first + number * count}",
            f"\\Data length: {count}",
            "\\Bytes/pixel: 2",
            "\\Samps/line: 4",
            "\\Number of lines: 3",
            size,
            "\\Line Direction: Retrace",
            f'\\@2:Image Data: S [{name}] "{name}"',
            f"\\@2:Z scale: {scale}",
        ]

    lines = [
        "\\*File list",
        "\\Version: 0x08150304",
        "\\Date: 01:07:05 PM Thu May 17 2018",
        "\\*Equipment list",
        "\\Description: D3100",
        "\\*Scanner list",
        soft,
        "\\*Ciao scan list",
        "\\Rotate Ang.: 90",
        *image(0, "Height", "V [Sens. Zsens] (0.0067 V/LSB) 8.192 V"),
        *image(1, "Phase", "V (0.1 \xba/LSB) 65.536 \xba"),
        "\\*File list end",
    ]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\x1a"
    numbers = [(PICTURE[::-1] + 1000 * k).astype(f"<i{bytes_each}").tobytes() for k in range(2)]
    path = folder / "image.spm"
    path.write_bytes(head.ljust(first, b"\0") + b"".join(numbers))
    return path


def anasys_text(*, ranges: Sequence[tuple[float, float, int]], doctype: str = "") -> str:
    """Give the XML of a map and of spectra over some ranges."""

    def coded(values: Array) -> str:
        return base64.b64encode(values.astype("<f4").tobytes()).decode()

    spectra = "".join(
        f"<IRRenderedSpectra><Label>Spectrum {k}</Label><DataPoints>{count}</DataPoints>"
        f"<StartWavenumber>{start}</StartWavenumber><EndWavenumber>{stop}</EndWavenumber>"
        f"<Location><X>{k + 1}</X><Y>-2</Y></Location>"
        '<DataChannels Name="IR-Amplitude" DataChannel="ringfreqamplitude">'
        f"<SampleBase64>{coded(np.arange(count) + 100 * k)}</SampleBase64></DataChannels>"
        "</IRRenderedSpectra>"
        for k, (start, stop, count) in enumerate(ranges)
    )
    return (
        f'<?xml version="1.0" encoding="utf-16"?>{doctype}'
        '<Document DocType="IR" xmlns="www.anasysinstruments.com"><HeightMaps>'
        '<HeightMap DataChannel="height" Label="Height 1"><Position><X>4</X><Y>-2.5</Y></Position>'
        "<Rotation><Yaw>-90</Yaw></Rotation><Size><X>8</X><Y>6</Y></Size>"
        "<Resolution><X>4</X><Y>3</Y></Resolution><Units>m</Units><UnitPrefix>n</UnitPrefix>"
        '<Tags><Tag Name="System" Value="NANOIR2" /></Tags>'
        f"<SampleBase64>{coded(PICTURE)}</SampleBase64></HeightMap></HeightMaps>"
        f"<RenderedSpectra>{spectra}</RenderedSpectra></Document>"
    )


def write_axz(
    folder: Path,
    *,
    ranges: Sequence[tuple[float, float, int]] = ((1000, 1008, 3), (1004, 1016, 4)),
    doctype: str = "",
) -> Path:
    """Write a document packed by gzip, in UTF-16."""
    path = folder / "document.axz"
    path.write_bytes(gzip.compress(anasys_text(ranges=ranges, doctype=doctype).encode("utf-16")))
    return path


def write_h5_jpk(folder: Path) -> Path:
    """Write two frames of a height, each a column of the table, the lowest line first."""
    path = folder / "movie.h5-jpk"
    with h5py.File(path, "w") as file:
        measurement = file.create_group("Measurement_000")
        grid = {"ilength": 4, "jlength": 3, "ulength": 8e-9, "vlength": 6e-9}
        measurement.attrs.update({f"position-pattern.grid.{k}": v for k, v in grid.items()})
        measurement.attrs["timing-settings.scanRate"] = 6.0
        for number, (name, back) in enumerate((("height", False), ("height", True))):
            group = measurement.create_group(f"Channel_{number:03d}")
            group.attrs["channel.name"] = name
            group.attrs["retrace"] = str(back).lower()
            group.attrs["net-encoder.scaling.multiplier"] = 2e-9
            group.attrs["net-encoder.scaling.offset"] = 1e-9
            frames = [(PICTURE[::-1] + 100 * k + 1000 * back).ravel() for k in range(2)]
            group["Height"] = np.stack(frames, axis=1).astype(np.int32)
    return path


PROBES: dict[str, Callable[[Path], Path]] = {
    "asd": write_asd,
    "sxm": write_sxm,
    "3ds": write_3ds,
    "nanonis-dat": write_dat,
    "nanonis-zip": write_zip_of_dat,
    "wsxm": write_wsxm,
    "ibw": write_ibw,
    "gwy": write_gwy,
    "nanoscope": write_spm,
    "anasys": write_axz,
    "h5-jpk": write_h5_jpk,
}
