"""The local stack: real PostgreSQL and Kafka, and the services, as child processes."""
