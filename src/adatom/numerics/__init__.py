"""Shared mathematics; no steps.

Modules are imported by name: ``from adatom.numerics.trees import ...``.
"""
