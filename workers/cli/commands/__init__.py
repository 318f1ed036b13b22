"""The commands: one file for each word behind `segsync`."""
