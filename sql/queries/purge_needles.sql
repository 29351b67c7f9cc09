-- What a purge has to delete and to look for, and with what it was named.
SELECT p.kind, p.needle, p._with FROM purge_needles AS p ORDER BY p.kind, p.needle;
