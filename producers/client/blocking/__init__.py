"""The blocking client, a file a resource, generated from `producers/client/asynchronous/`."""
