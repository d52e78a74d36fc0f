"""What notifications can be asked to do: messages, wishes, tasks, notices."""
