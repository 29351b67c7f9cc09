-- The database's clock: the only one that observations are compared by.
SELECT clock_timestamp()::text AS clock;
