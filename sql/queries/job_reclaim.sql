-- Gives the jobs of the workers $1 back, if they are really gone.
SELECT * FROM reclaim($1::bigint[]);
