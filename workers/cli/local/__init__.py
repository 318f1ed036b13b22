"""Processes of one installation on this machine, for `segsync up` and `demo`."""
