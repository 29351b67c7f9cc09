SELECT extract(epoch FROM now() - max(_changed_at))::double precision AS changed_s, (SELECT count(*) FROM (SELECT FROM engagements LIMIT 10001) AS e) AS engagements
FROM engagements;
