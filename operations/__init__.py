"""Operations: rebuilding and verifying read models, composed into a service's process, unknown to it."""
