"""Samples as rows: for Infinity, curl, spreadsheets, pandas, R."""

from grafana_json.rows.door import door

__all__ = ["door"]
