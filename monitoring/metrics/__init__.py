"""Every metric, declared once; nobody else touches the Prometheus client."""
