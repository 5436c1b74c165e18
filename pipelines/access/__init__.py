"""Who may do what: users, API tokens, sessions, roles. The HTTP side is `console`."""
