"""The read API of Prometheus: PromQL over what nodes answer, for whatever speaks to a Prometheus."""
