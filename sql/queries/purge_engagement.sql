-- Deletes the engagement $1, and the contacts and companies that no other one shows; what stays is a keyed hash of its id.
SELECT * FROM purge_engagement($1::text);
