-- A slice of what is too old for charts.
SELECT prune_activity(10000) AS has_more;
