"""The console: the page for operators and tenants, and the route that serves it."""
