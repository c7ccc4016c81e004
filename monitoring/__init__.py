"""What operators see: metrics, logs, traces, Flower, and the Prometheus and Grafana files that read them."""
