"""What stands in PostgreSQL, asked without likesd."""

TYPES = {"post": 1, "reel": 2, "comment": 3}


def split(item):
    kind, number = item.split(":")
    return int(number), TYPES[kind]


def likes(sql, item):
    """The users who like an item, by the table of likes."""
    rows = sql.execute("SELECT user_id FROM user_likes WHERE item_id = %s AND item_type = %s", split(item))
    return {row[0] for row in rows}


def counter(sql, item):
    """(like_count, version) of an item, or None without a row."""
    return sql.execute(
        "SELECT like_count, version FROM counters WHERE item_id = %s AND item_type = %s", split(item)
    ).fetchone()


def put_likes(sql, item, users):
    """Likes that likesd has not seen."""
    number, kind = split(item)
    for user in users:
        sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (%s, %s, %s)", (user, number, kind))
    sql.execute(
        "INSERT INTO counters (item_id, item_type, like_count, version) VALUES (%s, %s, %s, 1)",
        (number, kind, len(users)),
    )


def drift(sql):
    """Items whose counter is not the count of their likes: there must be none."""
    return sql.execute(
        """
        SELECT item_id, item_type, like_count, counted
        FROM (SELECT item_id, item_type, count(*) AS counted FROM user_likes GROUP BY 1, 2) AS likes
        FULL JOIN counters USING (item_id, item_type)
        WHERE coalesce(like_count, 0) <> coalesce(counted, 0)
        """
    ).fetchall()
