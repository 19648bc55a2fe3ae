"""Plotly figures of the pages, drawn from plain numbers."""
