"""Mail, the only door of notifications to the outside world."""
