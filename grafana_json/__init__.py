"""The Grafana bridge: what every data node measures, for the data source plugins of Grafana."""
