"""Every metric, declared once; no other package imports the Prometheus client."""
