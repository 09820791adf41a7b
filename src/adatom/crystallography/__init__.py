"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

==================  ==================================================
find_variants       phases, and ferroic variants of them, by symmetry
assign_variants     the same variants in another image
find_doubling       doubled cells and antiphase boundaries
==================  ==================================================
"""

from __future__ import annotations

from adatom._lazy import lazy_names

__all__ = [
    "Doubling",
    "VariantModel",
    "Variants",
    "assign_variants",
    "find_doubling",
    "find_variants",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Doubling": "doubling",
        "VariantModel": "variant_models",
        "Variants": "variants",
        "assign_variants": "variants",
        "find_doubling": "doubling",
        "find_variants": "variants",
    },
)
