"""Every error and warning that adatom raises on purpose."""


class AdatomError(Exception):
    """Root of all errors that adatom raises on purpose."""


class ReadError(AdatomError, OSError):
    """A file cannot be read: the text names the file, the reason and a remedy."""


class WriteError(AdatomError, OSError):
    """A result cannot be written."""


class KindError(AdatomError, TypeError):
    """An array or dataset is not of the kind that a step needs."""


class UnitError(AdatomError, ValueError):
    """A unit is missing, unknown, or of the wrong quantity."""


class SettingError(AdatomError, ValueError):
    """A setting has a value that its step cannot work with."""


class TooFewSitesError(AdatomError, ValueError):
    """A frame or a class holds fewer sites than a step needs."""


class NoLatticeError(AdatomError, ValueError):
    """An image shows no periodicity from which a length scale could be taken."""


class RecipeError(AdatomError, ValueError):
    """A recipe does not fit together."""


class StoreError(AdatomError, OSError):
    """A stored result is missing, damaged, or made by something else."""


class MissingExtraError(AdatomError, ImportError):
    """A step needs an optional part of adatom that is not installed."""


class TrainingError(AdatomError, ArithmeticError):
    """A training cannot go on: its loss or its pictures are no numbers any more."""


class ClusterError(AdatomError, ConnectionError):
    """A cluster does not answer, has lost its workers, or runs other code than this process."""


class AdatomWarning(UserWarning):
    """Something that the user can act on."""
