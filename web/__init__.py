"""The edge of a service: commands and questions over HTTP, who asks, and problem documents."""
