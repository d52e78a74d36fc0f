"""Read models of notifications: messages, tasks, and what is known of those who get messages."""
