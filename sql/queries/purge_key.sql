-- What stands for the engagement $1 once it is purged.
SELECT suppression_key('engagement', $1::text) AS key;
