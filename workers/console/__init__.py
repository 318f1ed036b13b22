"""The console: the installation in a browser. Pages are made on the server; docs/console.md has what they show."""
