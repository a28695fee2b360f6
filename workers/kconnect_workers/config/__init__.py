"""What workers and connectors are configured by: declared once, read and checked here."""
