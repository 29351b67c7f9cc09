-- For "scopes recheck": all denied parts are due to be tried, and so is a refused token. $1 the credential's name.
SELECT part FROM recheck_scopes($1::text) AS part;
