"""Programs that compute energies and forces, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from subprocess import SubprocessError
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adatom.errors import MissingExtraError, SettingError

if TYPE_CHECKING:
    from ase import Atoms

ENTRY_POINTS: Final = "adatom.calculators"
"""Group of entry points by which other packages add calculators: each gives an ASE calculator
when it is called with the settings as keywords."""

FAILURES: Final = (ArithmeticError, LookupError, OSError, RuntimeError, SubprocessError, TypeError,
                   ValueError)  # fmt: skip
"""How calculators fail: ASE's own errors are RuntimeErrors, programs of others are not foreseen."""

# Recipes come from others. Where a program stands and where it writes is said in the configuration
# of ASE on this machine, and languages in which a setting could run a program are left out.
_REFUSED: Final = frozenset({"command", "profile", "directory", "label", "restart", "txt"})
_LEFT_OUT: Final = frozenset({"lammpslib", "lammpsrun", "plumed", "kim", "ace", "gromacs"})


@dataclass(frozen=True)
class Calculator:
    """A program that computes energies, and its settings.

    Attributes
    ----------
    name : str
        "gfn1-xtb" (the default) or "gfn2-xtb": tight binding by tblite,
        ``pip install 'adatom[dft]'``, at the center of the zone only;
        "tersoff": a potential for C and Si that comes with ASE, without
        electrons, for first looks and tests; "emt": of ASE, for tests;
        "gpaw": density functional theory, ``pip install gpaw``; any other
        calculator of ASE by its name there ("vasp", "espresso", "dftb" ...);
        or one that another package has registered in the group of entry
        points "adatom.calculators".
    charge : int
        Of the whole cell, in units of the elementary charge; tight binding
        and GPAW.
    n_unpaired : int, optional
        Unpaired electrons: the calculation is then spin-polarized. By
        default it is not; a cell with an odd number of electrons keeps one
        that is shared by both spins. Tight binding; GPAW finds its own moment
        from this start.
    settings : mapping
        Further settings, as the calculator has them: ``{"kpts": [3, 3, 1]}``
        for GPAW, ``{"electronic_temperature": 500.0}`` for tight binding.
        What JSON can hold; programs and files are not among them, but in
        the configuration of ASE.
    """

    name: str = "gfn1-xtb"
    charge: int = 0
    n_unpaired: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Give all that a result depends on but the version, as JSON can hold it."""
        return {
            "name": self.name,
            "charge": self.charge,
            "n_unpaired": self.n_unpaired,
            "settings": {key: self.settings[key] for key in sorted(self.settings)},
        }


class Level(NamedTuple):
    """What kind of theory a calculator is of.

    Attributes
    ----------
    theory : str
        "tight binding", "DFT", "potential" or "other".
    label : str
        What stands beside each geometry that it gives.
    """

    theory: str
    label: str


_XTB: Final = {"gfn1-xtb": "GFN1-xTB", "gfn2-xtb": "GFN2-xTB", "ipea1-xtb": "IPEA1-xTB"}
# Of GPAW, unless another one is set.
_FUNCTIONAL: Final = "PBE"
_POTENTIALS: Final = frozenset({"emt", "tersoff", "lj", "morse", "tip3p", "eam"})


def level_of_calculator(calculator: Calculator, /) -> Level:
    """Tell what kind of theory a calculator is of."""
    if calculator.name in _XTB:
        method = _XTB[calculator.name]
        return Level(
            "tight binding",
            f"tight binding geometry ({method}, center of the zone): heights and bonds of "
            "foreign atoms differ from DFT by some 0.005 nm",
        )
    if calculator.name in _POTENTIALS:
        return Level("potential", f"geometry of a classical potential ({calculator.name})")
    if calculator.name == "gpaw":
        return Level("DFT", f"DFT geometry (GPAW, {calculator.settings.get('xc', _FUNCTIONAL)})")
    return Level("other", f"geometry of {calculator.name}")


def list_calculators() -> dict[str, str]:
    """Give the names of calculators that are known, and of what each is.

    Those of ASE that run programs of their own are known by name whether or
    not the program is there.
    """
    import ase.calculators.calculator as of_ase

    known: dict[str, str] = dict.fromkeys(
        (name for name in of_ase.__dict__["names"] if name not in _LEFT_OUT), "ASE"
    )
    known |= dict.fromkeys(_XTB, "tblite") | {"tersoff": "ASE", "gpaw": "GPAW"}
    return known | {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}


def require_calculator(calculator: Calculator, /) -> None:
    """Raise an error of one line if a calculator is not known or not installed.

    Raises
    ------
    SettingError
        If there is no calculator of this name.
    MissingExtraError
        If its package is not installed.
    """
    known = list_calculators()
    if calculator.name not in known:
        from difflib import get_close_matches

        near = get_close_matches(calculator.name, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        msg = f"there is no calculator {calculator.name!r}: {hint}known are {', '.join(known)}"
        raise SettingError(msg)
    refused = sorted(_REFUSED & set(calculator.settings))
    if refused:
        msg = (
            f"calculator {calculator.name!r} takes no setting {refused[0]!r} here: programs and "
            "files are named in the configuration of ASE (see `ase info --calculators`)"
        )
        raise SettingError(msg)
    package, remedy = _PACKAGES.get(known[calculator.name], ("", ""))
    if package:
        try:
            import_module(package)
        except ImportError as error:
            name = package.partition(".")[0]
            msg = f"calculator {calculator.name!r} needs {name} ({error}): {remedy}"
            raise MissingExtraError(msg) from error


_PACKAGES: Final = {
    "tblite": ("tblite.interface", "pip install 'adatom[dft]'"),
    "GPAW": ("gpaw", "apt install gpaw, or pip install gpaw (needs libxc and a BLAS)"),
}


def attach_calculator(atoms: Atoms, calculator: Calculator, /) -> None:
    """Attach a fresh calculator to atoms, in place.

    Raises
    ------
    SettingError
        If the name or a setting is not known.
    MissingExtraError
        If it is not installed.
    """
    require_calculator(calculator)
    maker = _maker(calculator)
    try:
        # Several structures never share a calculator: it would start from the other's charges.
        atoms.calc = maker(atoms)
    except ImportError as error:
        msg = f"calculator {calculator.name!r} cannot be loaded ({error}): install it first"
        raise MissingExtraError(msg) from error
    except Exception as error:
        # ASE reports a program that is not set up by many errors, some of which are plain ones.
        told = " ".join(str(error).split()) or type(error).__name__
        msg = (
            f"calculator {calculator.name!r} with {dict(calculator.settings)} cannot start: {told}"
        )
        raise SettingError(msg) from error


def _maker(calculator: Calculator) -> Callable[[Any], Any]:
    settings = dict(calculator.settings)
    if calculator.name in _XTB:
        return lambda atoms: _tblite(atoms, calculator)
    if calculator.name == "tersoff":
        from adatom.defects.tersoff import tersoff_of_carbon_and_silicon

        return lambda atoms: tersoff_of_carbon_and_silicon(atoms, **settings)
    if calculator.name == "gpaw":
        return lambda atoms: _gpaw(atoms, calculator)
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == calculator.name:
            return lambda _: point.load()(**settings)
    return lambda _: _of_ase(calculator.name)(**settings)


def _of_ase(name: str) -> Any:  # noqa: ANN401 -- of ASE, untyped
    from ase.calculators.calculator import get_calculator_class

    return get_calculator_class(name)  # type: ignore[no-untyped-call]


def _tblite(atoms: Any, calculator: Calculator) -> Any:  # noqa: ANN401 -- of ASE, untyped
    from tblite.ase import TBLite

    settings: dict[str, Any] = {"verbosity": 0, **calculator.settings}
    n_electrons = int(atoms.numbers.sum()) - calculator.charge
    unpaired = calculator.n_unpaired
    if unpaired is None:
        # Core electrons come in pairs, so the parity of all is that of the valence.
        settings["multiplicity"] = 1 + n_electrons % 2
    else:
        if unpaired < 0 or (n_electrons - unpaired) % 2:
            msg = f"n_unpaired={unpaired} does not go with {n_electrons} electrons"
            raise ValueError(msg)
        settings |= {"multiplicity": 1 + unpaired, "spin_polarization": 1.0}
    return TBLite(method=_XTB[calculator.name], charge=calculator.charge, **settings)


def _gpaw(atoms: Any, calculator: Calculator) -> Any:  # noqa: ANN401 -- of ASE, untyped
    from gpaw import GPAW

    settings: dict[str, Any] = {"txt": None, "mode": "lcao", "basis": "dzp", "xc": _FUNCTIONAL}
    settings |= dict(calculator.settings)
    if calculator.charge:
        settings["charge"] = calculator.charge
    if calculator.n_unpaired is not None:
        settings["spinpol"] = True
        atoms.set_initial_magnetic_moments([calculator.n_unpaired / len(atoms)] * len(atoms))
    return GPAW(**settings)


def version_of_calculator(calculator: Calculator, /) -> str:
    """Give the version of a calculator's package; that of ASE where it is part of it."""
    from importlib.metadata import PackageNotFoundError, version

    package = {"tblite": "tblite", "GPAW": "gpaw"}.get(
        list_calculators().get(calculator.name, ""), "ase"
    )
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package
