"""What every service stands on: store, relay, subscriptions, policies, timers, effects."""
