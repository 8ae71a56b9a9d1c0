"""What Grafana reads at its start, made of what the data nodes offer: data sources, dashboards, alert rules."""
