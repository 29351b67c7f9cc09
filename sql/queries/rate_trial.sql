-- Leave to try an API that is away: $1 the credential's name. The seconds to wait; 0: try.
SELECT take_trial($1::text) AS wait_s;
