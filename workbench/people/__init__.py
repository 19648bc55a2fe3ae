"""People of a study: roles, access tokens, invitations."""
