"""The HTTP edge of notifications: the task board, patients' wishes, the message log."""
