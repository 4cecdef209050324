"""The composition root: the only place that knows every part, one module per thing that people ask of the program.

    jobspec --load_campaign--> Campaign --expand(servers)--> Plan --RunEngine--> journal --fold_report--> report

A package rather than one module, so that a command imports only the parts it needs: `runner list` must not wait for
aiohttp, nor `runner plan` for SQLite.
"""
