"""What writes to accounts leave behind."""

# The last event that each of them leaves in the log of the account it is about.
TRACES = {
    "POST /sessions": "session.created",
    "DELETE /sessions/current": "session.ended",
    "DELETE /sessions/{session_id}": "session.ended",
    "DELETE /sessions": "session.ended",
    "POST /sign-up": "user.created",
    "POST /users/me/password": "password.changed",
    "POST /password-resets": "password.reset_requested",
    "POST /password-resets/use": "password.reset",
    "POST /users": "password.reset_requested",
    "PATCH /users/{user_id}": "user.updated",
    "PUT /users/{user_id}": "user.updated",
    "POST /users/{user_id}/password-reset": "password.reset_requested",
    "POST /users/{user_id}/disable": "user.disabled",
    "POST /users/{user_id}/enable": "user.enabled",
    "DELETE /users/{user_id}": "user.erased",
    "DELETE /users/me": "user.erased",
}
