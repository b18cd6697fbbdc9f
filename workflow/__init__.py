"""Long work with progress (jobs), at fixed times (schedules), and for people (tickets). Knows no domain."""
