-- The database's clock in seconds since 1970, to compare with the host's.
SELECT extract(epoch FROM clock_timestamp())::double precision AS seconds;
