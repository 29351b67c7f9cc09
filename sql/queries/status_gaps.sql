SELECT part, cause, coalesce(scope, '') AS scope, count(*) AS n FROM engagement_gaps GROUP BY part, cause, scope ORDER BY n DESC, part;
