"""The ingress: routes per capability, authentication, problems, event streams. Never imports the workers."""
