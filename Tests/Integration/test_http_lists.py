"""What a user likes and who likes an item, over HTTP: pages, their end, and the index that one of them takes."""

import json

import pytest
from support.daemon import run
from support.http_gateway import Gateway


@pytest.fixture(scope="module")
def gateway(daemon, folder, number):
    server = Gateway(folder / f"h{number()}", daemon.socket).start()
    yield server
    assert server.server.running, server.log()
    assert server.stop() == 0


@pytest.fixture
def indexed(start_daemon, start_gateway, own_postgres):
    """A gateway whose database has the index of who likes an item."""
    assert run("likesctl", "migrate", "--likers-index", DATABASE_URL=own_postgres.url()).returncode == 0
    return start_gateway(start_daemon(own_postgres).socket)


def pages(gateway, path, limit, member):
    """The elements of all pages, followed by `next`."""
    found, after = [], ""
    while True:
        answer = gateway.request("GET", f"{path}?limit={limit}{after}")
        assert answer.status == 200, answer
        page = answer.json()
        assert len(page[member]) <= limit
        found += page[member]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_of_likes_hold_each_once_in_order(gateway, user, number, limit):
    items = [{"item_id": one, "item_type": kind} for one in (number(), number()) for kind in ("post", "reel")]
    for item in reversed(items):
        assert gateway.request("POST", "/v1/like", {"user_id": user, **item}).status == 200
    assert pages(gateway, f"/v1/users/{user}/likes", limit, "items") == items
    # They are what another operation takes, as they are.
    counts = gateway.request("POST", "/v1/counts", {"items": items}).json()["counts"]
    assert counts == {f"{item['item_type']}:{item['item_id']}": 1 for item in items}


def test_a_user_who_likes_nothing_has_an_empty_page(gateway, user):
    assert gateway.request("GET", f"/v1/users/{user}/likes").json() == {"user_id": user, "items": [], "next": None}


def test_a_like_that_was_answered_is_in_the_next_page(gateway, user, number):
    item = number()
    with gateway.connect() as connection:
        for method, liked in [("POST", [{"item_id": item, "item_type": "post"}]), ("DELETE", [])]:
            assert connection.request(method, "/v1/like", json.dumps({"user_id": user, "item_id": item})).status == 200
            assert connection.request("GET", f"/v1/users/{user}/likes").json()["items"] == liked


def test_what_is_wrong_is_told_as_for_the_other_operations(gateway):
    answer = gateway.request("GET", "/v1/users/-1/likes?after=story:1&limit=1001")
    assert answer.status == 422
    assert [(issue["type"], issue["loc"]) for issue in answer.json()["detail"]] == [
        ("greater_than_equal", ["path", "user_id"]),
        ("literal_error", ["query", "after"]),
        ("less_than_equal", ["query", "limit"]),
    ]
    assert gateway.request("GET", "/v1/items/story/1/likers").json()["detail"][0]["loc"] == ["path", "item_type"]
    assert gateway.request("POST", "/v1/users/1/likes").headers["allow"] == "GET"
    assert gateway.request("GET", "/v1/users//likes").status == 404


def test_head_has_the_headers_of_get(gateway, user):
    answers = [gateway.request(method, f"/v1/users/{user}/likes") for method in ("GET", "HEAD")]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].headers["content-length"] == answers[1].headers["content-length"]
    assert answers[1].body == b""


def test_likers_without_the_index_are_501_with_the_command_that_makes_it(gateway, number):
    answer = gateway.request("GET", f"/v1/items/post/{number()}/likers")
    assert answer.status == 501
    assert answer.json()["detail"]["error"] == "unsupported"
    assert "likesctl migrate --likers-index" in answer.json()["detail"]["message"]
    assert "retry-after" not in answer.headers
    problem = gateway.request("GET", "/v1/items/post/1/likers", headers={"Accept": "application/problem+json"})
    assert (problem.status, problem.json()["error"]) == (501, "unsupported")


@pytest.mark.parametrize("limit", [1, 7, 25, 1000])
def test_pages_of_likers_hold_each_once_in_order(indexed, number, limit):
    item = number()
    users = [number() for _ in range(25)]
    for user in reversed(users):
        assert indexed.like(user, item).status == 200
    path = f"/v1/items/post/{item}/likers"
    assert pages(indexed, path, limit, "user_ids") == users
    assert indexed.like(users[0], item, "DELETE").status == 200
    assert indexed.request("GET", f"{path}?after={users[0]}&limit=2").json() == {
        "item_id": item,
        "item_type": "post",
        "user_ids": users[1:3],
        "next": str(users[2]),
    }
    assert indexed.request("GET", f"/v1/items/reel/{item}/likers").json()["user_ids"] == []


def test_a_list_without_postgresql_is_unavailable(start_daemon, start_gateway, own_postgres, user):
    gateway = start_gateway(start_daemon(own_postgres).socket)
    own_postgres.stop()
    answer = gateway.request("GET", f"/v1/users/{user}/likes")
    assert (answer.status, answer.json()["detail"]["error"]) == (503, "unavailable")
