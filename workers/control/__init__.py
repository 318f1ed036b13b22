"""What a person tells an installation to do: apply, pause, drain."""
