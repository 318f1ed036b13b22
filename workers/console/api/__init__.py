"""What the console shows and does, as JSON for programs that have a token (docs/api.md).

routes      what a route is, and what a call of it gets
frame       what every route goes through: the token, the body, the audit log, failures as JSON
looking     what is read
places      connectors, ad accounts, segments
acts        what changes anything: each as the command of its name
erasure     a person, looked for and erased
removal     an integration that is taken out, and taken back
events      POST /api/events
description the OpenAPI document, made from the routes
probes      /health and /metrics
"""
