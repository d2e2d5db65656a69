"""How every function is built: service, store, authentication, errors, events of the outside world."""
