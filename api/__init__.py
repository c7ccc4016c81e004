"""The HTTP API: routes per capability, authentication, problems and event streams. Never imports the workers."""
