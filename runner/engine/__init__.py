"""Performs what the campaign's rules ask for: submission, watching, reconciling, within the rate. asyncio lives here."""
