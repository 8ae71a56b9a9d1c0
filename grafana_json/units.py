"""Units in Grafana's own words: see sisock/grafana/units.py, which dashboards need, too."""

from sisock.grafana.units import grafana_unit

__all__ = ["grafana_unit"]
