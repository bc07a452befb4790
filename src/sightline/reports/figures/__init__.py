"""Figures that belong to no section: of sweeps, searches, slices, corruptions and data."""
