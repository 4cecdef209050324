"""The Lite Server API: wire models, signing, credentials, client, error table."""
