import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from stepalign.clients import cache as cache_module
from stepalign.clients.cache import ReplyCache, default_cache_path
from stepalign.clients.client import Reply, Request
from stepalign.core.errors import CriticError

REPLY = Reply("text \ud83d", "stop", 3, 4)  # half a surrogate pair


def put(cache, key, reply=REPLY, url="u", model="m"):
    return cache.put(key, reply, url=url, model=model)


def test_what_is_put_is_got_back(tmp_path):
    cache = ReplyCache(tmp_path / "deep" / "critic.sqlite")
    assert cache.get("k") is None
    put(cache, "k")
    cache.close()
    assert ReplyCache(cache.path).get("k") == REPLY


def test_an_entry_that_is_no_reply_is_forgotten_and_asked_for_again(tmp_path):
    cache = ReplyCache(tmp_path / "c")
    for broken in ("no JSON", '{"words": 1}', "[]"):
        cache.database.write("INSERT OR REPLACE INTO replies VALUES ('k', 'u', 'm', 0, ?)", broken)
        assert cache.get("k") is None
        assert put(cache, "k", Reply("new")).text == "new" == cache.get("k").text


def test_half_a_surrogate_pair_that_was_kept_comes_out_clean(tmp_path):
    cache = ReplyCache(tmp_path / "c")
    row = ("k", "u", "m", 0, '{"text": "a \\ud83d", "finish_reason": "stop", "tokens_in": 1, "tokens_out": 1}')
    cache.database.write("INSERT INTO replies VALUES (?, ?, ?, ?, ?)", *row)
    assert cache.get("k").text == "a \ufffd"


def test_the_first_reply_stays(tmp_path):
    cache, other = ReplyCache(tmp_path / "c"), ReplyCache(tmp_path / "c")
    assert put(cache, "k", Reply("first")).text == "first"
    assert put(other, "k", Reply("second")).text == "first"


FILL = """
import sys
from pathlib import Path
from stepalign.clients.cache import ReplyCache
from stepalign.clients.client import Reply
cache = ReplyCache(Path(sys.argv[1]))
for i in range(300):
    cache.put(f"k{(int(sys.argv[2]) + i) % 400}", Reply(sys.argv[2]), url="u", model="m")
"""


def test_two_processes_on_one_cache(tmp_path):
    processes = [subprocess.Popen([sys.executable, "-c", FILL, tmp_path / "c", start]) for start in ("0", "200")]
    assert [process.wait() for process in processes] == [0, 0]
    (entry,) = ReplyCache(tmp_path / "c").entries()
    assert entry.num_replies == 400


def test_a_process_does_not_open_while_another_does(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "BUSY_S", 0.05)
    with FileLock(tmp_path / "c.lock"), ThreadPoolExecutor(1) as other:
        opening = other.submit(ReplyCache, tmp_path / "c")
        error = opening.exception()
    assert isinstance(error, CriticError) and "cannot be used" in str(error)
    ReplyCache(tmp_path / "c")


@pytest.mark.parametrize("damage", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_is_set_aside_with_a_warning(damage, tmp_path, caplog):
    path = tmp_path / "c"
    path.write_bytes(damage)
    cache = ReplyCache(path)
    put(cache, "k")
    assert cache.get("k") == REPLY
    (aside,) = tmp_path.glob("c.damaged-*")
    assert aside.read_bytes() == damage
    assert "is damaged" in caplog.text and str(aside) in caplog.text


def test_a_page_damaged_in_the_middle_is_noticed(tmp_path, caplog):
    cache = ReplyCache(tmp_path / "c")
    for i in range(500):
        put(cache, f"k{i}", Reply("x" * 200))
    cache.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cache.close()
    data = bytearray((tmp_path / "c").read_bytes())
    data[8192:40960] = b"\xff" * 32768
    (tmp_path / "c").write_bytes(data)
    assert ReplyCache(tmp_path / "c").get("k1") is None
    assert "is damaged" in caplog.text


def test_a_directory_in_its_place_is_a_clear_error(tmp_path):
    with pytest.raises(CriticError, match=r"cannot be used.*critic_cache"):
        ReplyCache(tmp_path)


def test_a_file_in_place_of_its_directory_is_a_clear_error(tmp_path):
    (tmp_path / "f").write_text("x")
    with pytest.raises(CriticError, match="cannot create"):
        ReplyCache(tmp_path / "f" / "c")


def test_a_full_disk_is_a_clear_error(tmp_path):
    cache = ReplyCache(tmp_path / "c")
    cache.database.connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(CriticError, match=r"full.*Make room"):
        put(cache, "k", Reply("x" * 100_000))


def test_prune(tmp_path):
    cache = ReplyCache(tmp_path / "c")
    put(cache, "a", model="m1")
    put(cache, "b", model="m2")
    put(cache, "c", url="v", model="m2")
    assert [entry.num_replies for entry in cache.entries()] == [1, 1, 1]
    assert cache.prune(before=time.time() - 60) == 0
    assert cache.prune(model="m2", url="v") == 1
    assert cache.prune(model="m2") == 1
    assert cache.prune() == 1


def test_it_is_in_wal_mode(tmp_path):
    ReplyCache(tmp_path / "c")
    assert sqlite3.connect(tmp_path / "c").execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_key_holds_all_that_decides_the_reply():
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 0.0}
    keys = {
        Request(body).key("u"),
        Request(body, 1).key("u"),
        Request(body).key("v"),
        Request({**body, "temperature": 0.7}).key("u"),
    }
    assert len(keys) == 4
    assert Request(dict(reversed(body.items()))).key("u") == Request(body).key("u")


def test_the_default_place(monkeypatch, tmp_path):
    monkeypatch.delenv("STEPALIGN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_path() == tmp_path / "stepalign" / "critic.sqlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_path().parts[-3:] == (".cache", "stepalign", "critic.sqlite")
