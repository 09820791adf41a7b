"""Sites that carry neighbors -> lattice, strain, variants, phases and boundaries.

==================  ==================================================
find_variants       phases, and ferroic variants of them, by symmetry
assign_variants     the same variants in another image
==================  ==================================================
"""

from __future__ import annotations

from adatom._lazy import lazy_names

__all__ = ["VariantModel", "Variants", "assign_variants", "find_variants"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "VariantModel": "variant_models",
        "Variants": "variants",
        "assign_variants": "variants",
        "find_variants": "variants",
    },
)
