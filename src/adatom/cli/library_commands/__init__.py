"""Commands of ``adatom library``, one module each, as those of `adatom.cli`."""
