"""What is stored of calls of models: the ledger and what it adds up to, tenants' keys of providers, finished sections."""
