"""Keys of persons and services, and the doors where personal data is sealed and opened under them."""
