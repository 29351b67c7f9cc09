-- Deletes a slice of what is too old in the outbox, if there is one; whether there may be more.
SELECT prune_outbox(1000) AS has_more;
