"""Observability: metrics, logs, traces, health checks, Flower, and the Prometheus and Grafana files."""
