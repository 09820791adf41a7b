"""Small files of force curves, written to the published layouts without adatom's readers."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

# What every written curve holds: 6 samples towards the sample, 4 back.
DEFLECTION_V = (np.array([0, 0, 0, 0, 1, 2]) / 10, np.array([2, 1, -1, 0]) / 10)
HEIGHT_NM = (np.array([500.0, 400, 300, 200, 100, 0]), np.array([0.0, 150, 300, 450]))
SENSITIVITY_NM = 50.0
SPRING = 0.2
FORCE_NN = tuple(volts * SENSITIVITY_NM * SPRING for volts in DEFLECTION_V)

_JPK_SHARED = r"""#Thu Jan 02 03:04:05 CET 2020
lcd-infos.count=2
lcd-info.0.type=integer-data
lcd-info.0.channel.name=height
lcd-info.0.conversion-set.conversions.list=nominal calibrated
lcd-info.0.conversion-set.conversions.default=calibrated
lcd-info.0.conversion-set.conversions.base=volts
lcd-info.0.conversion-set.conversion.volts.defined=false
lcd-info.0.conversion-set.conversion.nominal.defined=true
lcd-info.0.conversion-set.conversion.nominal.base-calibration-slot=volts
lcd-info.0.conversion-set.conversion.nominal.scaling.type=linear
lcd-info.0.conversion-set.conversion.nominal.scaling.style=offsetmultiplier
lcd-info.0.conversion-set.conversion.nominal.scaling.offset=1.0E-6
lcd-info.0.conversion-set.conversion.nominal.scaling.multiplier=-1.0E-7
lcd-info.0.conversion-set.conversion.nominal.scaling.unit.unit=m
lcd-info.0.conversion-set.conversion.calibrated.defined=true
lcd-info.0.conversion-set.conversion.calibrated.base-calibration-slot=nominal
lcd-info.0.conversion-set.conversion.calibrated.scaling.type=linear
lcd-info.0.conversion-set.conversion.calibrated.scaling.style=offsetmultiplier
lcd-info.0.conversion-set.conversion.calibrated.scaling.offset=0.0
lcd-info.0.conversion-set.conversion.calibrated.scaling.multiplier=0.5
lcd-info.0.conversion-set.conversion.calibrated.scaling.unit.unit=m
lcd-info.0.encoder.type=signedinteger
lcd-info.0.encoder.scaling.type=linear
lcd-info.0.encoder.scaling.style=offsetmultiplier
lcd-info.0.encoder.scaling.offset=10.0
lcd-info.0.encoder.scaling.multiplier=1.0E-3
lcd-info.0.encoder.scaling.unit.unit=V
lcd-info.1.type=integer-data
lcd-info.1.channel.name=vDeflection
lcd-info.1.conversion-set.conversions.list=distance force
lcd-info.1.conversion-set.conversions.default=force
lcd-info.1.conversion-set.conversions.base=volts
lcd-info.1.conversion-set.conversion.volts.defined=false
lcd-info.1.conversion-set.conversion.distance.defined=true
lcd-info.1.conversion-set.conversion.distance.base-calibration-slot=volts
lcd-info.1.conversion-set.conversion.distance.scaling.type=linear
lcd-info.1.conversion-set.conversion.distance.scaling.style=offsetmultiplier
lcd-info.1.conversion-set.conversion.distance.scaling.offset=0.0
lcd-info.1.conversion-set.conversion.distance.scaling.multiplier=5.0E-8
lcd-info.1.conversion-set.conversion.distance.scaling.unit.unit=m
lcd-info.1.conversion-set.conversion.force.defined=true
lcd-info.1.conversion-set.conversion.force.base-calibration-slot=distance
lcd-info.1.conversion-set.conversion.force.scaling.type=linear
lcd-info.1.conversion-set.conversion.force.scaling.style=offsetmultiplier
lcd-info.1.conversion-set.conversion.force.scaling.offset=0.0
lcd-info.1.conversion-set.conversion.force.scaling.multiplier=0.2
lcd-info.1.conversion-set.conversion.force.scaling.unit.unit=N
lcd-info.1.encoder.type=signedshort
lcd-info.1.encoder.scaling.type=linear
lcd-info.1.encoder.scaling.style=offsetmultiplier
lcd-info.1.encoder.scaling.offset=0.0
lcd-info.1.encoder.scaling.multiplier=1.0E-4
lcd-info.1.encoder.scaling.unit.unit=V
"""
_JPK_MAP = r"""jpk-data-file=spm-force-scan-map-file
type=force-scan-map
force-scan-map.start-time=2020-01-02 03\:04\:05.000 +0100
force-scan-map.description.instrument=JPK00001
force-scan-map.position-pattern.grid.ilength=2
force-scan-map.position-pattern.grid.jlength=2
"""


def _jpk_segment(style: str, count: int, duration: float) -> str:
    lines = [
        f"force-segment-header.settings.segment-settings.style={style}",
        f"force-segment-header.duration={duration}",
        f"force-segment-header.num-points={count}",
        "channels.list=height vDeflection",
    ]
    for number, name in enumerate(("height", "vDeflection")):
        lines += [
            f"channel.{name}.lcd-info.*={number}",
            f"channel.{name}.data.file.name=channels/{name}.dat",
            f"channel.{name}.data.file.format=raw",
            f"channel.{name}.data.num-points={count}",
        ]
    return "\n".join(lines)


def write_jpk(
    folder: Path, *, n_curves: int = 3, shared: str = _JPK_SHARED, broken_off: int = 0
) -> Path:
    """Write a map of a 2 x 2 grid; the last curve has its retract cut by `broken_off`."""
    path = folder / "map.jpk-force-map"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.properties", _JPK_MAP)
        archive.writestr("shared-data/header.properties", shared)
        for number in range(n_curves):
            row, column = divmod(number, 2)
            at = f"force-scan-series.header.position.x={column * 1e-6}\n"
            at += f"force-scan-series.header.position.y={row * 2e-6}\n"
            archive.writestr(f"index/{number}/header.properties", at)
            for segment, style in enumerate(("extend", "retract")):
                stop = len(DEFLECTION_V[segment])
                if number == n_curves - 1 and segment == 1:
                    stop -= broken_off
                place = f"index/{number}/segments/{segment}/"
                archive.writestr(
                    place + "segment-header.properties", _jpk_segment(style, stop, 0.6)
                )
                volts = np.round(DEFLECTION_V[segment][:stop] * (number + 1) * 1e4)
                archive.writestr(place + "channels/vDeflection.dat", volts.astype(">i2").tobytes())
                # height = 0.5 * (1e-6 - 1e-7 * (10 + 1e-3 * n)) m
                steps = np.round(-HEIGHT_NM[segment][:stop] / 0.05)
                archive.writestr(place + "channels/height.dat", steps.astype(">i4").tobytes())
    return path


def jpk_shared_settings() -> str:
    """Give the settings that a written map shares among its curves."""
    return _JPK_SHARED


def workshop_text(point: int, *, calibration: str = "") -> str:
    """Write one curve of AFMWorkshop; it counts towards the sample."""
    rows = [
        "Force-Distance Curve", "File Format:\t3", "", "Date:\tWednesday, August 1, 2018",
        "Time:\t1:07:05 PM", "Mode:\tMapping", f"Point:\t{point}", f"X, um:\t{point}.5",
        f"Y, um:\t{2 * point}.5", *([calibration] if calibration else []), "",
        "Extend Z-Sense(nm),Extend T-B(V),Retract Z-Sense(nm),Retract T-B(V)",
    ]  # fmt: skip
    for z, volts in zip(HEIGHT_NM[0], DEFLECTION_V[0], strict=True):
        rows.append(f"{-z:.4f},{volts:.4f},{z - 500:.4f},{volts / 2:.4f}")
    return "\r\n".join(rows) + "\r\n"


def write_workshop(folder: Path) -> Path:
    """Write an archive of eleven curves."""
    path = folder / "mapping.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for point in range(11):
            archive.writestr(f"AFM_mapping.{point:02d}.csv", workshop_text(point))
    return path


_IGOR_NOTE = (
    "Version:15.00\rInvOLS: 5e-08\rSpringConstant: 0.2\rMicroscopeModel:MFP3D\r"
    "Indexes: 0,5,9\rDirection: NaN,1,-1,\rDate:2018-05-01\rTime:6:18:49 PM\r"
)


def write_igor_force(folder: Path, *, note: str = _IGOR_NOTE, labels: tuple[str, ...] = ()) -> Path:
    """Write a wave of version 5 with three columns, as an MFP-3D does."""
    names = labels or ("Raw", "Defl", "ZSnsr")
    z = -np.concatenate(HEIGHT_NM) * 1e-9
    bending = np.concatenate(DEFLECTION_V) * SENSITIVITY_NM * 1e-9
    table = np.stack([z, bending, z * 0.5]).astype("<f4")
    text = note.encode("latin-1")
    label = b"".join(name.encode().ljust(32, b"\0") for name in ("", *names))
    first = struct.pack(
        "<hhiiii4i4iiii", 5, 0, table.nbytes, 0, len(text), 0, 0, 0, 0, 0, 0, len(label), 0, 0,
        0, 0, 0,
    )  # fmt: skip
    second = struct.pack("<IIIihh6sh32siI", 0, 0, 0, table.size, 2, 0, b"", 1, b"curve", 0, 0)
    second += struct.pack("<4i4d4d", table.shape[1], 3, 0, 0, 0.01, 1, 1, 1, 0, 0, 0, 0)
    path = folder / "curve.ibw"
    path.write_bytes(first + second.ljust(320, b"\0") + table.tobytes() + text + label)
    return path


_NANOSCOPE = r"""\*Force file list
\Version: 0x08150308
\Date: 03:04:58 PM Thu May 17 2018
\Start context: FOL
\Data length: 4096
\*Equipment list
\Description: Dimension Icon
\*Scanner list
\@Sens. Zsens: V 100.0000 nm/V
\*Ciao scan list
\@Sens. DeflSens: V 50.00000 nm/V
\@Sens. ZsensSens: V 1000.000 nm/V
\*Ciao force list
\Samps/line: COUNTS
\Samps/line, retrace: 4
\*Ciao force image list
\Data offset: 4096
\Data length: 20
\Bytes/pixel: 2
\Samps/line: COUNTS
\Spring Constant: 0.2
\@4:Image Data: S [DeflectionError] "Deflection Error"
\@4:Z scale: V [Sens. DeflSens] (0.0001000000 V/LSB) 2.500000 V
\@4:Ramp size: V [Sens. Zsens] (0.004780209 V/LSB) 5.0 V
"""
_NANOSCOPE_HEIGHT = r"""\*Ciao force image list
\Data offset: 4116
\Data length: 20
\Bytes/pixel: 2
\Samps/line: COUNTS
\Spring Constant: 7
\@4:Image Data: S [ZSensor] "Height Sensor"
\@4:Z scale: V [Sens. ZsensSens] (0.0001000000 V/LSB) 5.119550 V
"""


def write_nanoscope_force(
    folder: Path, *, with_height: bool = True, counts: str = "6 4", offset: int = 4096
) -> Path:
    """Write a curve of NanoScope; the approach is stored from the contact on."""
    header = _NANOSCOPE.replace("offset: 4096", f"offset: {offset}")
    header = (header + (_NANOSCOPE_HEIGHT if with_height else "")).replace("COUNTS", counts)
    text = header + "\\*File list end\n"
    volts = np.concatenate([DEFLECTION_V[0][::-1], DEFLECTION_V[1]])
    z = -np.concatenate([HEIGHT_NM[0][::-1], HEIGHT_NM[1]])
    stored = np.round(np.concatenate([volts * 1e4, z / 0.1])).astype("<i2")
    path = folder / "curve.001"
    head = text.replace("\n", "\r\n").encode("latin-1") + b"\x1a"
    path.write_bytes(head.ljust(4096, b"\0") + stored.tobytes())
    return path


def write_jpk_image(folder: Path) -> Path:
    """Write a small picture and two channels; stored rows run upwards."""
    stored = np.arange(15, dtype=np.int32).reshape(3, 5)
    stored[0, 0] = 2**31 - 1
    path = folder / "scan.jpk"
    with tifffile.TiffWriter(path) as file:
        grid = [(0x8042, "d", 1, 5e-6, True), (0x8043, "d", 1, 6e-6, True),
                (0x8003, "s", 0, "2020-01-02 03:04:05.000 CET", True),
                (0x8046, "I", 1, 5, True), (0x8047, "I", 1, 3, True)]  # fmt: skip
        file.write(np.zeros((4, 4), np.uint8), extratags=grid, metadata=None)
        for number, (short, name, unit) in enumerate(
            (("vDeflection", "Vertical Deflection", "N"), ("measuredHeight", "Height", "m"))
        ):
            slots = [
                (0x8050, "s", 0, short, True), (0x8051, "I", 1, 0, True),
                (0x8052, "s", 0, name, True), (0x8080, "I", 1, 2, True),
                (0x8081, "s", 0, "nominal", True), (0x8090, "s", 0, "raw", True),
                (0x80A3, "s", 0, "NullScaling", True), (0x80C0, "s", 0, "nominal", True),
                (0x80D2, "s", 0, unit, True), (0x80D3, "s", 0, "LinearScaling", True),
                (0x80D4, "d", 1, 1e-9 * (number + 1), True), (0x80D5, "d", 1, 1e-8, True),
                (0x80DA, "d", 1, 2.0**31 - 1, True),
            ]  # fmt: skip
            file.write(stored, extratags=slots, metadata=None)
    return path


CURVES: dict[str, Callable[[Path], Path]] = {
    "jpk": write_jpk,
    "jpk-image": write_jpk_image,
    "workshop": write_workshop,
    "igor-force": write_igor_force,
    "nanoscope-force": write_nanoscope_force,
}
