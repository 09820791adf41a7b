"""Small files of tables, structures, videos, masses and lifetimes, and what adatom writes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

CSV = "y [nm],x [nm],species\n0.5,1.5,Si\n2,3,C\n"
TRACKMATE = """<?xml version="1.0" encoding="UTF-8"?>
<TrackMate version="7.11.1"><Model spatialunits="micron" timeunits="sec"><AllSpots nspots="3">
<SpotsInFrame frame="0"><Spot ID="7" name="ID7" POSITION_X="1.5" POSITION_Y="0.25" POSITION_Z="0.0"
 POSITION_T="0.0" FRAME="0" RADIUS="0.5" QUALITY="3.5" VISIBILITY="1" /></SpotsInFrame>
<SpotsInFrame frame="1"><Spot ID="8" name="ID8" POSITION_X="1.75" POSITION_Y="0.5" POSITION_Z="0.0"
 POSITION_T="2.0" FRAME="1" RADIUS="0.5" QUALITY="4.5" VISIBILITY="1" />
<Spot ID="9" name="ID9" POSITION_X="4.0" POSITION_Y="2.0" POSITION_Z="0.0"
 POSITION_T="2.0" FRAME="1" RADIUS="0.5" QUALITY="1.5" VISIBILITY="1" /></SpotsInFrame>
</AllSpots><AllTracks><Track name="Track_4" TRACK_ID="4">
<Edge SPOT_SOURCE_ID="7" SPOT_TARGET_ID="8" LINK_COST="0.1" /></Track></AllTracks>
<FilteredTracks><TrackID TRACK_ID="4" /></FilteredTracks></Model></TrackMate>
"""
TRACKS = """<?xml version="1.0" encoding="UTF-8"?>
<Tracks nTracks="2" spaceUnits="nm" frameInterval="0.5" timeUnits="s" from="TrackMate v7.11.1">
<particle nSpots="2"><detection t="0" x="1.0" y="2.0" z="0.0" />
<detection t="1" x="1.5" y="2.5" z="0.0" /></particle>
<particle nSpots="1"><detection t="1" x="9.0" y="8.0" z="0.0" /></particle></Tracks>
"""
BOXES: dict[str, Any] = {
    "a.png123": {
        "filename": "a.png",
        "size": 123,
        "regions": [
            {
                "shape_attributes": {"name": "rect", "x": 4, "y": 2, "width": 3, "height": 5},
                "region_attributes": {"kind": "vacancy"},
            },
            {
                "shape_attributes": {"name": "circle", "cx": 10, "cy": 8, "r": 2},
                "region_attributes": {"kind": "dopant"},
            },
        ],
        "file_attributes": {},
    },
    "b.png5": {"filename": "b.png", "size": 5, "regions": [], "file_attributes": {}},
}
CIF = """data_salt
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na Na 0 0 0
Cl Cl 0.5 0.5 0.5
"""
POSCAR = """graphene
1.0
2.46 0 0
-1.23 2.1304 0
0 0 10
C
2
Direct
0 0 0.5
0.333333 0.666667 0.5
"""
XYZ = (
    '2\nLattice="3 0 0 0 3 0 0 0 9" Properties=species:S:1:pos:R:3 pbc="T T F"\n'
    "C 0 0 0\nSi 0 0 1.7\n3\nwater\nO 0 0 0\nH 0 0 1\nH 0 1 0\n"
)
XSF = "CRYSTAL\nPRIMVEC\n3 0 0\n0 3 0\n0 0 3\nPRIMCOORD\n1 1\n6 0.5 0.5 0.5\n"
CUBE = "title\ncomment\n1 0 0 0\n1 2 0 0\n1 0 2 0\n1 0 0 2\n6 6.0 0.5 0.5 0.5\n1.0\n"
PDB = (
    "CRYST1    3.000    3.000    3.000  90.00  90.00  90.00 P 1\n"
    "ATOM      1  C   MOL     1       0.500   0.500   0.500  1.00  0.00           C  \nEND\n"
)
FRAMES: np.ndarray[Any, np.dtype[np.uint8]] = np.stack(
    [np.full((32, 48), 20 * number, np.uint8) for number in range(1, 8)]
)
FRAMES[:, 8:16, 8:16] += 80
"""Frames told apart by their grey, with a square at the top left."""
DECAYS: np.ndarray[Any, np.dtype[np.uint16]] = (
    np.random.default_rng(5).poisson(2.0, (4, 3, 16)).astype(np.uint16)
)
"""Photons (y, x, time)."""
PEAKS = (([100.0, 200.02], [1.0, 2.0]), ([100.01, 300.0, 300.04], [3.0, 4.0, 5.0]))
"""m/z and intensities of two pixels, (y=1, x=1) and (y=2, x=1)."""

MASSES = np.array([100.0, 150.0, 200.0])
PIXEL = (
    '<cvParam accession="IMS:1000042" name="max count of pixels x" value="3"/>'
    '<cvParam accession="IMS:1000046" name="pixel size x" value="20" unitName="micrometer"/>'
    '<cvParam accession="IMS:1000047" name="pixel size y" value="30" unitName="micrometer"/>'
)


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def write_video(folder: Path, name: str = "video.mp4", codec: str = "mpeg4") -> Path:
    """Write seven frames at 5 frames a second, a key frame every third."""
    import av

    path = folder / name
    with av.open(str(path), "w") as video:
        stream: Any = video.add_stream(codec, rate=5)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        stream.codec_context.gop_size = 3
        stream.bit_rate = 2_000_000
        for frame in FRAMES:
            rgb = np.repeat(frame[..., None], 3, axis=-1)
            for packet in stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)
    return path


def write_sequence(folder: Path) -> Path:
    """Write frames 8 to 11, whose names do not sort by letters."""
    path = folder / "sequence"
    path.mkdir()
    for number, frame in zip((8, 9, 10, 11), FRAMES, strict=False):
        Pillow.fromarray(frame).save(path / f"frame_{number}.png")
    return path


def imzml_text(
    spectra: Sequence[str], *, mode: str = "processed", identity: str, pixel: str = ""
) -> str:
    """Give the XML around some spectra, as of imzML 1.1."""
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1"><cvList count="1"><cv id="IMS"/></cvList>
<fileDescription><fileContent>
<cvParam cvRef="IMS" accession="IMS:1000080" name="universally unique identifier" \
value="{identity}"/>
<cvParam cvRef="IMS" accession="IMS:1000030" name="{mode}"/></fileContent></fileDescription>
<referenceableParamGroupList count="2"><referenceableParamGroup id="mz">
<cvParam cvRef="MS" accession="MS:1000576" name="no compression"/>
<cvParam cvRef="MS" accession="MS:1000514" name="m/z array"/>
<cvParam cvRef="MS" accession="MS:1000523" name="64-bit float"/></referenceableParamGroup>
<referenceableParamGroup id="intensity">
<cvParam cvRef="MS" accession="MS:1000576" name="no compression"/>
<cvParam cvRef="MS" accession="MS:1000515" name="intensity array"/>
<cvParam cvRef="MS" accession="MS:1000521" name="32-bit float"/></referenceableParamGroup>
</referenceableParamGroupList><scanSettingsList count="1"><scanSettings id="s">{pixel}
</scanSettings></scanSettingsList><run id="r"><spectrumList count="{len(spectra)}">
{"".join(spectra)}</spectrumList></run></mzML>
"""


def imzml_spectrum(
    number: int, place: tuple[int, int], length: int, mz_offset: int, intensity_offset: int
) -> str:
    """Give the XML of one spectrum; `place` is y, x from 1."""

    def array(group: str, offset: int, itemsize: int) -> str:
        params = {"IMS:1000103": length, "IMS:1000102": offset, "IMS:1000104": length * itemsize}
        listed = "".join(
            f'<cvParam cvRef="IMS" accession="{key}" name="" value="{value}"/>'
            for key, value in params.items()
        )
        return (
            f'<binaryDataArray encodedLength="0"><referenceableParamGroupRef ref="{group}"/>'
            f"{listed}<binary/></binaryDataArray>"
        )

    y, x = place
    return (
        f'<spectrum id="s{number}" index="{number}"><scanList count="1"><scan>'
        f'<cvParam cvRef="IMS" accession="IMS:1000050" name="position x" value="{x}"/>'
        f'<cvParam cvRef="IMS" accession="IMS:1000051" name="position y" value="{y}"/>'
        '</scan></scanList><binaryDataArrayList count="2">'
        f"{array('mz', mz_offset, 8)}{array('intensity', intensity_offset, 4)}"
        "</binaryDataArrayList></spectrum>"
    )


def write_imzml(folder: Path, places: Sequence[tuple[int, int]] = ((1, 1), (2, 1))) -> Path:
    """Write lists of peaks, one a pixel."""
    identity = uuid.UUID(int=77)
    numbers = bytearray(identity.bytes)
    spectra = []
    for number, ((mz, intensity), place) in enumerate(zip(PEAKS, places, strict=True)):
        start = len(numbers)
        numbers += np.array(mz, "<f8").tobytes()
        spectra.append(imzml_spectrum(number, place, len(mz), start, len(numbers)))
        numbers += np.array(intensity, "<f4").tobytes()
    (folder / "masses.ibd").write_bytes(numbers)
    path = folder / "masses.imzML"
    path.write_text(imzml_text(spectra, identity=f"{{{identity}}}"))
    return path


def write_continuous(folder: Path) -> Path:
    """Write four of six pixels, column by column, all on one axis."""
    identity = uuid.UUID(int=5)
    numbers = bytearray(identity.bytes) + MASSES.astype("<f8").tobytes()
    spectra = []
    for number, place in enumerate([(1, 1), (2, 1), (1, 3), (2, 3)]):
        spectra.append(imzml_spectrum(number, place, 3, 16, len(numbers)))
        numbers += (np.array([1, 2, 3], "<f4") + 10 * number).tobytes()
    (folder / "map.ibd").write_bytes(numbers)
    text = imzml_text(spectra, mode="continuous", identity=identity.hex, pixel=PIXEL)
    (folder / "map.imzML").write_text(text)
    return folder / "map.imzML"


def write_ptu(folder: Path) -> Path:
    """Write photons sorted by pixels, 0.2 ns a bin, pixels of 0.5 micrometer."""
    import ptufile

    path = folder / "photons.ptu"
    ptufile.imwrite(path, DECAYS[None, :, :, None], 10e-9, 0.2e-9, 1e-4, pixel_resolution=0.5)
    return path


def write_sdt(folder: Path) -> Path:
    """Write one block of decays: 16 channels over 50 ns at a gain of 4."""
    return write_decays(folder / "decays.sdt", DECAYS, window=50e-9 / 4)


def write_decays(path: Path, decays: np.ndarray[Any, Any], window: float) -> Path:
    """Write decays (y, x, channel) of 16 bits as one block of an sdt; the window is in s."""
    from sdtfile.sdtfile import BLOCK_HEADER, FILE_HEADER, MEASURE_INFO

    info = b"*IDENTIFICATION\r\nID : SPC Setup & Data File\r\nTitle : test\r\n*END\r\n\r\n"
    measured = np.zeros(1, np.dtype(MEASURE_INFO).newbyteorder("<"))
    rows, columns, channels = decays.shape
    measured["tac_r"], measured["tac_g"], measured["adc_re"] = 4 * window, 4, channels
    measured["scan_x"], measured["scan_y"] = columns, rows
    start = 42 + len(info) + measured.nbytes
    header = np.zeros(1, np.dtype(FILE_HEADER).newbyteorder("<"))
    header["revision"], header["info_offs"], header["info_length"] = 0x28F, 42, len(info)
    header["meas_desc_block_offs"], header["no_of_meas_desc_blocks"] = 42 + len(info), 1
    header["meas_desc_block_length"] = measured.nbytes
    header["data_block_offs"], header["no_of_data_blocks"] = start, 1
    header["header_valid"], header["chksum"] = 0x5555, 0x55AA
    block = np.zeros(1, np.dtype(BLOCK_HEADER).newbyteorder("<"))
    block["data_offs"] = start + block.nbytes
    block["next_block_offs"] = start + block.nbytes + decays.nbytes
    # A decay block of 16-bit counts, made by a measurement.
    block["block_type"], block["block_length"] = 0x01, decays.nbytes
    parts = (header.tobytes(), info, measured.tobytes(), block.tobytes(), decays.tobytes())
    path.write_bytes(b"".join(parts))
    return path


def _image_of_adatom(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from adatom.io import write_file
        from adatom.schema import image_from_array

        pixels = np.arange(120, dtype=np.float32).reshape(12, 10)
        return write_file(image_from_array(pixels, pixel_size="0.02 nm"), folder / name)

    return write


def _sites_of_adatom(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from adatom.io import write_file
        from adatom.schema import sites_from_positions

        return write_file(sites_from_positions([0.5, 2], [1.5, 3], unit="nm"), folder / name)

    return write


SITES: dict[str, Callable[[Path], Path]] = {
    "adatom-netcdf": _image_of_adatom("image.nc"),
    "adatom-zarr": _image_of_adatom("image.zarr"),
    "adatom-csv": _sites_of_adatom("sites.csv"),
    "parquet": _sites_of_adatom("sites.parquet"),
    "csv": _text("sites.csv", CSV),
    "trackmate": _text("session.xml", TRACKMATE),
    "trackmate-tracks": _text("tracks.xml", TRACKS),
    "boxes": _text("boxes.json", json.dumps(BOXES)),
    "cif": _text("salt.cif", CIF),
    "poscar": _text("POSCAR", POSCAR),
    "xyz": _text("two.xyz", XYZ),
    "xsf": _text("carbon.xsf", XSF),
    "cube": _text("carbon.cube", CUBE),
    "pdb": _text("carbon.pdb", PDB),
    "mp4": write_video,
    "avi": lambda folder: write_video(folder, "video.avi"),
    "mkv": lambda folder: write_video(folder, "video.mkv"),
    "sequence": write_sequence,
    "imzml": write_continuous,
    "ptu": write_ptu,
    "sdt": write_sdt,
}
"""By the key of the format."""

if find_spec("pyarrow") is None:
    # An extra, which not every installation has.
    del SITES["parquet"]
