"""Performs what the campaign's rules ask for: submits, watches and reconciles, within the rate. asyncio lives here."""
