"""What ad connectors remember: whom each audience has, what is owed to it, which calls are on their way, and tokens."""
