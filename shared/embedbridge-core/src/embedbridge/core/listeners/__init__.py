"""Event listeners: progress bars, usage meters, OpenTelemetry, a user's own."""
