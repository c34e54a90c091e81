"""Who hears the events of a job: progress bars, usage meters, OpenTelemetry, a user's own."""
