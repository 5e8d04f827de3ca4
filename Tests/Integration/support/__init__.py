"""What the integration tests stand on: private servers, the daemon, clients that speak raw bytes."""
